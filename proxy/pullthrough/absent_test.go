package pullthrough_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
)

func containsText(body []byte, text string) bool { return bytes.Contains(body, []byte(text)) }

func digestOf(t *testing.T, r reply) digest.Digest {
	t.Helper()
	d, err := digest.Parse(r.Header.Get("Docker-Content-Digest"))
	must(t, err)
	return d
}

func TestAHundredClientsWithoutAnImageAreOneQuestion(t *testing.T) {
	for name, tc := range map[string]struct {
		reference string
		rules     []config.FallbackRule
		want      []string
	}{
		"a tag":                   {"1", nil, []string{"GET app/manifests/1"}},
		"a digest":                {missing, nil, []string{"GET app/manifests/" + missing}},
		"a tag with a rule":       {"1", doubled, []string{"GET app/manifests/1", "GET app/app/manifests/1"}},
		"a digest, with that too": {missing, doubled, []string{"GET app/manifests/" + missing, "GET app/app/manifests/" + missing}},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOrigin(t)
			r := start(t, setup{upstreams: []string{o.URL}, rules: tc.rules})
			var group errgroup.Group
			group.SetLimit(20)
			for range 100 {
				group.Go(func() error {
					resp, err := r.open(t.Context(), http.MethodGet, "app/manifests/"+tc.reference)
					if err != nil {
						return err
					}
					if resp.StatusCode != http.StatusNotFound {
						return fmt.Errorf("got %d, want 404", resp.StatusCode)
					}
					return resp.Body.Close()
				})
			}
			must(t, group.Wait())
			wantAsked(t, o, tc.want...)
		})
	}
}

var missing = "sha256:" + strings.Repeat("0", 64)

func TestWhatIsPushedAppearsWithinTenSeconds(t *testing.T) {
	o := newOrigin(t)
	r := start(t, setup{upstreams: []string{o.URL}})
	r.get(t, "team/app/manifests/1").want(t, 404, nil)
	img := o.pushImage(t, "team/app", "1", 100)
	r.clock.advance(9 * time.Second)
	r.get(t, "team/app/manifests/1").want(t, 404, nil)
	r.get(t, "team/app/manifests/"+img.manifest.String()).want(t, 200, img.body)
	r.clock.advance(time.Second)
	r.get(t, "team/app/manifests/1").want(t, 200, img.body)
}

func TestAlwaysDoesNotBelieveThatAManifestIsAbsent(t *testing.T) {
	o := newOrigin(t)
	r := start(t, setup{upstreams: []string{o.URL}, tags: policies})
	r.get(t, "team/app/manifests/always").want(t, 404, nil)
	img := o.pushImage(t, "team/app", "always", 100)
	r.get(t, "team/app/manifests/always").want(t, 200, img.body)
}

func TestOnlyNotFoundIsBelieved(t *testing.T) {
	for _, code := range []int{401, 403, 429, 500, 503} {
		o := newOrigin(t)
		img := o.pushImage(t, "team/app", "1", 100)
		r := start(t, setup{upstreams: []string{o.URL}})
		o.fail(status(code))
		r.get(t, "team/app/manifests/1")
		r.get(t, "team/app/manifests/"+img.manifest.String())
		o.heal()
		r.get(t, "team/app/manifests/1").want(t, 200, img.body)
		r.get(t, "team/app/manifests/"+img.manifest.String()).want(t, 200, img.body)
	}
}

func TestWhatIsRememberedAsAbsentIsBounded(t *testing.T) {
	o := newOrigin(t)
	o.fail(status(404))
	r := start(t, setup{upstreams: []string{o.URL}})
	r.get(t, "app/manifests/first").want(t, 404, nil)
	r.clock.advance(time.Second)
	for i := range 2048 {
		r.get(t, fmt.Sprintf("app/manifests/t%d", i)).want(t, 404, nil)
	}
	o.asked()
	r.get(t, "app/manifests/t0").want(t, 404, nil)
	wantAsked(t, o)
	r.get(t, "app/manifests/first").want(t, 404, nil)
	wantAsked(t, o, "GET app/manifests/first")
}
