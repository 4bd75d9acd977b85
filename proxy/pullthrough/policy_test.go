package pullthrough_test

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy/store"
)

// policies give each tag of team/app the policy that it is named after.
var policies = []config.TagRule{
	{Match: `team/app:always`, Policy: config.TagPolicyAlways},
	{Match: `.*:frozen`, Policy: config.TagPolicyFrozen},
	{Match: `team/.*:hour`, Policy: config.TagPolicyTTL, RevalidateAfter: &metav1.Duration{Duration: time.Hour}},
}

func TestEachTagIsAskedForAsItsPolicySays(t *testing.T) {
	cases := map[string]struct {
		tag   string
		after time.Duration
		asks  bool
	}{
		"Always asks at once":                  {"always", 0, true},
		"TTL does not ask before its time":     {"hour", 59 * time.Minute, false},
		"TTL asks at its time":                 {"hour", time.Hour, true},
		"Frozen is not asked after a year":     {"frozen", 365 * 24 * time.Hour, false},
		"no rule is TTL of the tags, before":   {"other", 4 * time.Minute, false},
		"no rule is TTL of the tags, after":    {"other", 5 * time.Minute, true},
		"a clock that was set back asks":       {"other", -time.Minute, true},
		"a clock set back leaves Frozen as is": {"frozen", -time.Minute, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o := newOrigin(t)
			img := o.pushImage(t, "team/app", tc.tag, 100)
			r := start(t, setup{upstreams: []string{o.URL}, tags: policies})
			path := "team/app/manifests/" + tc.tag
			r.get(t, path).want(t, 200, img.body)
			o.asked()
			r.clock.advance(tc.after)
			r.get(t, path).want(t, 200, img.body)
			if tc.asks {
				wantAsked(t, o, "HEAD "+path)
			} else {
				wantAsked(t, o)
			}
		})
	}
}

func TestAlwaysIsSharedByAllWhoWaitAndStaleInTrouble(t *testing.T) {
	o := newOrigin(t)
	img := o.pushImage(t, "team/app", "always", 100)
	var entered atomic.Int32
	r := start(t, setup{upstreams: []string{o.URL}, tags: policies, handler: func(mirror http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			entered.Add(1)
			mirror.ServeHTTP(w, req)
		})
	}})
	path := "team/app/manifests/always"
	r.get(t, path).want(t, 200, img.body)
	o.asked()

	answer := make(chan struct{})
	o.fail(func(w http.ResponseWriter, req *http.Request, next http.Handler) {
		<-answer
		next.ServeHTTP(w, req)
	})
	var group errgroup.Group
	for range 20 {
		group.Go(func() error { return pull(t, r, path) })
	}
	eventually(t, "all have asked", func() bool { return entered.Load() == 21 })
	close(answer)
	must(t, group.Wait())
	if n := len(o.asked()); n == 0 || n >= 20 {
		t.Errorf("the upstream was asked %d times for 20 requests at once", n)
	}

	o.fail(status(503))
	if got := r.get(t, path); got.StatusCode != http.StatusOK || got.Header.Get("Warning") == "" {
		t.Errorf("in trouble: got %d, Warning %q, want a stale 200", got.StatusCode, got.Header.Get("Warning"))
	}
	r.clock.advance(time.Hour)
	r.get(t, path).want(t, 503, nil)
}

func pull(t *testing.T, r *rig, path string) error {
	t.Helper()
	resp, err := r.open(t.Context(), http.MethodGet, path)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("got %d", resp.StatusCode)
	}
	return resp.Body.Close()
}

func TestFrozenTagWhoseManifestIsGoneIsAskedFor(t *testing.T) {
	o := newOrigin(t)
	o.pushImage(t, "team/app", "frozen", 100)
	r := start(t, setup{upstreams: []string{o.URL}, tags: policies})
	path := "team/app/manifests/frozen"
	first := r.get(t, path)
	moved := o.pushImage(t, "team/app", "frozen", 200)
	r.clock.advance(365 * 24 * time.Hour)
	o.fail(status(503))
	r.get(t, path).want(t, 200, first.body)
	o.heal()
	evictable := openStore(t, r.dir).(store.Evictable)
	must(t, evictable.Remove(t.Context(), digestOf(t, first), time.Now().Add(time.Minute)))
	r.get(t, path).want(t, 200, moved.body)
}

func TestRepositoriesThatTheListsLeaveOutAreDenied(t *testing.T) {
	o := newOrigin(t)
	for _, repository := range []string{"team/app", "team/secret/app", "other/app"} {
		o.pushImage(t, repository, "1", 100)
	}
	r := start(t, setup{upstreams: []string{o.URL}, repositories: config.RepositoriesConfiguration{
		Allow: []string{`team/.*`}, Deny: []string{`team/secret/.*`},
	}})
	d := "sha256:" + fmt.Sprintf("%064d", 0)
	for _, left := range []string{"team/secret/app", "other/app", "x/team/app"} {
		for _, path := range []string{"/manifests/1", "/manifests/" + d, "/blobs/" + d, "/tags/list", "/referrers/" + d} {
			got := r.get(t, left+path)
			got.want(t, 403, nil)
			if want := `"code":"DENIED"`; !containsText(got.body, want) {
				t.Errorf("%s%s: got %s, want %s", left, path, got.body, want)
			}
		}
	}
	wantAsked(t, o)
	r.get(t, "team/app/manifests/1").want(t, 200, nil)
	r.get(t, "").want(t, 200, nil)
}
