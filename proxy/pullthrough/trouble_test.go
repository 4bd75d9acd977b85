package pullthrough_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestWhatAnUpstreamInTroubleMayHaveIsNotAbsentNorRefused(t *testing.T) {
	unreachable := func(http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) }
	for name, tc := range map[string]struct {
		trouble fault
		refusal int
	}{
		"503 and 404": {status(503), 404}, "503 and 403": {status(503), 403}, "429 and 401": {status(429), 401},
		"no answer and 404": {unreachable, 404},
	} {
		t.Run(name, func(t *testing.T) {
			first, second := newOrigin(t), newOrigin(t)
			img := first.pushImage(t, "team/app", "1", 100)
			r := start(t, setup{upstreams: []string{first.URL, second.URL}})
			known := []string{"team/app/manifests/1", "team/app/tags/list"}
			for _, path := range known {
				r.get(t, path).want(t, 200, nil)
			}
			first.fail(tc.trouble)
			for _, answer := range []int{tc.refusal, 503} {
				second.fail(status(answer))
				r.clock.advance(10 * time.Minute)
				for _, path := range known {
					stale := r.get(t, path)
					stale.want(t, 200, nil)
					if !strings.HasPrefix(stale.Header.Get("Warning"), "299 ") {
						t.Errorf("%s: Warning: got %q", path, stale.Header.Get("Warning"))
					}
				}
			}
			second.fail(status(tc.refusal))
			unknown := []string{"team/app/manifests/2", "team/app/manifests/" + missing, "team/app/blobs/" + missing, "other/tags/list"}
			for _, path := range unknown {
				r.get(t, path).want(t, 503, nil)
			}
			r.do(t, http.MethodHead, "team/app/blobs/"+missing).want(t, 503, nil)

			first.heal()
			eventually(t, "the first answers again", func() bool {
				return r.get(t, "team/app/manifests/1").Header.Get("Warning") == ""
			})
			r.get(t, "team/app/manifests/1").want(t, 200, img.body)
		})
	}
}

func TestReferrersOfAnUpstreamInTroubleAreNotTakenForNone(t *testing.T) {
	first, second := newOrigin(t), newOrigin(t)
	img := first.pushImage(t, "team/app", "1", 100)
	signature, _ := first.pushReferrer(t, "team/app", typeSignature)
	first.withReferrers("team/app", signature)
	r := start(t, setup{upstreams: []string{first.URL, second.URL}})
	path := "team/app/referrers/" + img.manifest.String()
	wantDigests(t, r.get(t, path), signature)
	r.clock.advance(10 * time.Minute)
	first.fail(status(503))
	second.fail(status(404))
	wantDigests(t, r.get(t, path), signature)
	r.get(t, "team/app/referrers/"+missing).want(t, 503, nil)
}

func TestTheFirstUpstreamsAnswerIsFinal(t *testing.T) {
	for code, want := range map[int]int{404: 404, 401: 403, 403: 403} {
		first, second := newOrigin(t), newOrigin(t)
		img := second.pushImage(t, "team/app", "1", 100)
		first.fail(status(code))
		r := start(t, setup{upstreams: []string{first.URL, second.URL}})
		for _, path := range []string{"manifests/1", "manifests/" + img.manifest.String(), "blobs/" + img.layer.String(), "tags/list"} {
			r.get(t, "team/app/"+path).want(t, want, nil)
		}
		wantAsked(t, second)
	}
}

func TestNoOtherNameIsTriedWhileAnUpstreamIsInTrouble(t *testing.T) {
	first, second := newOrigin(t), newOrigin(t)
	nested := first.pushImage(t, "coredns/coredns", "v1", 100)
	r := start(t, setup{upstreams: []string{first.URL, second.URL}, rules: doubled})
	r.get(t, "coredns/manifests/v1").want(t, 200, nested.body)
	r.clock.advance(10 * time.Minute)
	second.pushImage(t, "coredns", "v1", 100)
	first.fail(status(503))
	second.asked()
	r.get(t, "coredns/manifests/v1").want(t, 200, nested.body)
	wantAsked(t, second, "HEAD coredns/coredns/manifests/v1")
}
