package pullthrough_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	flatScope   = "repository:coredns:pull"
	nestedScope = "repository:coredns/coredns:pull"
)

// doorkeeper has a registry shown a token for each repository, and is its token server.
type doorkeeper struct {
	// refuses is what the token server answers for a scope, 0 for a token.
	refuses map[string]int

	mu               sync.Mutex
	scopes, admitted []string
}

func (d *doorkeeper) fault(w http.ResponseWriter, r *http.Request, next http.Handler) {
	if r.URL.Path == "/token" {
		d.issue(w, strings.Join(r.URL.Query()["scope"], " "))
		return
	}
	repository, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v2/"), "/manifests/")
	if scope := "repository:" + repository + ":pull"; r.Header.Get("Authorization") != "Bearer "+scope {
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="http://%s/token",service="test",scope=%q`, r.Host, scope))
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	d.mu.Lock()
	d.admitted = append(d.admitted, repository)
	d.mu.Unlock()
	next.ServeHTTP(w, r)
}

func (d *doorkeeper) issue(w http.ResponseWriter, scope string) {
	d.mu.Lock()
	d.scopes = append(d.scopes, scope)
	d.mu.Unlock()
	if refusal := d.refuses[scope]; refusal != 0 {
		w.WriteHeader(refusal)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"token": scope, "expires_in": 300})
}

// saw are the scopes that tokens were asked for, and the repositories of the requests that were let in.
func (d *doorkeeper) saw() (scopes, admitted []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.scopes, d.admitted
}

func TestFallbackAtAGuardedUpstreamHasATokenForEachName(t *testing.T) {
	cases := map[string]struct {
		refuses  map[string]int
		status   int
		admitted []string
	}{
		"both are given":       {nil, 200, []string{"coredns", "coredns/coredns"}},
		"the second is denied": {map[string]int{nestedScope: 403}, 404, []string{"coredns"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o, guard := newOrigin(t), &doorkeeper{refuses: tc.refuses}
			o.pushImage(t, "coredns/coredns", "v1", 100)
			o.fail(guard.fault)
			r := start(t, setup{upstreams: []string{o.URL}, rules: doubled})
			r.get(t, "coredns/manifests/v1").want(t, tc.status, nil)
			scopes, admitted := guard.saw()
			if diff := cmp.Diff([]string{flatScope, nestedScope}, scopes); diff != "" {
				t.Errorf("scopes of the tokens (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.admitted, admitted); diff != "" {
				t.Errorf("asked with a token (-want +got):\n%s", diff)
			}
		})
	}
}

// TestFallbackIsNotUsedBeforeTheExchangeHasEnded has a token server whose 404 is not the registry's.
func TestFallbackIsNotUsedBeforeTheExchangeHasEnded(t *testing.T) {
	for refusal, want := range map[int]int{401: 403, 403: 403, 404: 503, 429: 503, 500: 503} {
		o, guard := newOrigin(t), &doorkeeper{refuses: map[string]int{flatScope: refusal}}
		o.pushImage(t, "coredns/coredns", "v1", 100)
		o.fail(guard.fault)
		r := start(t, setup{upstreams: []string{o.URL}, rules: doubled})
		r.get(t, "coredns/manifests/v1").want(t, want, nil)
		if asked := strings.Join(o.asked(), ", "); strings.Contains(asked, "coredns/coredns") {
			t.Errorf("after %d for the token the upstream was asked %s", refusal, asked)
		}
	}
}

func TestFallbackIsJudgedWhereRedirectsEnd(t *testing.T) {
	const flat, nested = "GET coredns/manifests/v1", "GET coredns/coredns/manifests/v1"
	cases := map[string]struct {
		has    string
		closed bool
		status int
		asked  []string
	}{
		"where the flat name is":   {has: "coredns", status: 200, asked: []string{flat}},
		"where the nested name is": {has: "coredns/coredns", status: 200, asked: []string{flat, nested}},
		"where neither is":         {has: "team/app", status: 404, asked: []string{flat, nested}},
		"where nobody answers":     {has: "coredns/coredns", closed: true, status: 503},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			front, region := newOrigin(t), newOrigin(t)
			region.pushImage(t, tc.has, "v1", 100)
			front.fail(func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
				http.Redirect(w, r, region.URL+r.URL.Path, http.StatusTemporaryRedirect)
			})
			if tc.closed {
				region.Close()
			}
			r := start(t, setup{upstreams: []string{front.URL}, rules: doubled})
			r.get(t, "coredns/manifests/v1").want(t, tc.status, nil)
			wantAsked(t, region, tc.asked...)
			if asked := strings.Join(front.asked(), ", "); len(tc.asked) < 2 && strings.Contains(asked, nested) {
				t.Errorf("the front was asked %s", asked)
			}
		})
	}
}
