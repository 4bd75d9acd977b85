package pullthrough_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/registryhub/registryhub/proxy/upstream"
)

// leaveAlone is 429 with Retry-After, for paths that hold a word.
func leaveAlone(word, seconds string) fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if !strings.Contains(r.URL.Path, word) {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Retry-After", seconds)
		w.WriteHeader(http.StatusTooManyRequests)
	}
}

func TestTooManyRequestsDelaysNothingThatIsCached(t *testing.T) {
	o := newOrigin(t)
	img := o.pushImage(t, "team/app", "1", 100)
	r := start(t, setup{upstreams: []string{o.URL}})
	tag, layer := "team/app/manifests/1", "team/app/blobs/"+img.layer.String()
	r.get(t, tag).want(t, 200, img.body)
	r.get(t, layer).want(t, 200, img.content)
	r.settle(t, img.layer)
	o.fail(leaveAlone("", "90"))
	r.clock.advance(10 * time.Minute)
	o.asked()

	for i := range 5 {
		began := time.Now()
		got := r.get(t, tag)
		got.want(t, 200, img.body)
		if !strings.HasPrefix(got.Header.Get("Warning"), "299 ") {
			t.Errorf("answer %d has the Warning %q", i, got.Header.Get("Warning"))
		}
		r.get(t, "team/app/manifests/"+img.manifest.String()).want(t, 200, img.body)
		r.get(t, layer).want(t, 200, img.content)
		if took := time.Since(began); took > time.Second {
			t.Errorf("what is cached took %s", took)
		}
	}
	wantAsked(t, o, "HEAD "+tag)
}

func TestTooManyRequestsIsAnsweredWithItsRetryAfter(t *testing.T) {
	o := newOrigin(t)
	img := o.pushImage(t, "team/app", "1", 100)
	r := start(t, setup{upstreams: []string{o.URL}})
	o.fail(leaveAlone("/manifests/", "90"))
	for range 3 {
		got := r.get(t, "team/app/manifests/1")
		got.want(t, 503, nil)
		if after, err := strconv.Atoi(got.Header.Get("Retry-After")); err != nil || after < 60 || after > 90 {
			t.Errorf("Retry-After is %q, want what is left of 90", got.Header.Get("Retry-After"))
		}
	}
	wantAsked(t, o, "GET team/app/manifests/1")
	// Limits are of a kind: a blob is still fetched.
	r.get(t, "team/app/blobs/"+img.layer.String()).want(t, 200, img.content)
	r.get(t, "team/app/tags/list").want(t, 200, nil)
}

func TestTooManyRequestsForBlobsIsAnsweredWithItsRetryAfter(t *testing.T) {
	o := newOrigin(t)
	img := o.pushImage(t, "team/app", "1", 100)
	r := start(t, setup{upstreams: []string{o.URL}})
	o.fail(leaveAlone("/blobs/", "90"))
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		got := r.do(t, method, "team/app/blobs/"+img.layer.String())
		got.want(t, 503, nil)
		if after, err := strconv.Atoi(got.Header.Get("Retry-After")); err != nil || after < 60 || after > 90 {
			t.Errorf("%s: Retry-After is %q, want what is left of 90", method, got.Header.Get("Retry-After"))
		}
	}
}

func TestTheNextUpstreamServesWhileOneWantsToBeLeftAlone(t *testing.T) {
	busy, free := newOrigin(t), newOrigin(t)
	img := free.pushImage(t, "team/app", "1", 100)
	busy.fail(leaveAlone("", "90"))
	r := start(t, setup{upstreams: []string{busy.URL, free.URL}})
	r.get(t, "team/app/manifests/1").want(t, 200, img.body)
	r.get(t, "team/app/blobs/"+img.layer.String()).want(t, 200, img.content)
	busy.asked()
	r.clock.advance(10 * time.Minute)
	r.get(t, "team/app/manifests/1").want(t, 200, img.body)
	r.get(t, "team/app/blobs/"+img.config.String()).want(t, 200, nil)
	wantAsked(t, busy)
}

// The upstream that names no time may be well again at any moment.
func TestTheShortestRetryAfterOfSeveralUpstreamsIsSent(t *testing.T) {
	for name, tc := range map[string]struct {
		one, other fault
		want       func(seconds int) bool
	}{
		"both name one":  {leaveAlone("", "90"), leaveAlone("", "30"), func(s int) bool { return s > 10 && s <= 30 }},
		"one names none": {leaveAlone("", "90"), status(503), func(s int) bool { return s == 5 }},
	} {
		t.Run(name, func(t *testing.T) {
			one, other := newOrigin(t), newOrigin(t)
			one.fail(tc.one)
			other.fail(tc.other)
			r := start(t, setup{upstreams: []string{one.URL, other.URL}})
			got := r.get(t, "team/app/manifests/1")
			got.want(t, 503, nil)
			if after, err := strconv.Atoi(got.Header.Get("Retry-After")); err != nil || !tc.want(after) {
				t.Errorf("Retry-After is %q", got.Header.Get("Retry-After"))
			}
		})
	}
}

// A hanging upstream costs the first stale answers their wait, and the others nothing.
func TestStaleAnswersComeAtOnceWhileTheCircuitIsOpen(t *testing.T) {
	o := newOrigin(t)
	img := o.pushImage(t, "team/app", "1", 100)
	r := start(t, setup{upstreams: []string{o.URL}, timeouts: upstream.Timeouts{Header: 50 * time.Millisecond, Probe: 100 * time.Millisecond}})
	tag := "team/app/manifests/1"
	r.get(t, tag).want(t, 200, img.body)
	r.clock.advance(10 * time.Minute)
	o.fail(func(_ http.ResponseWriter, r *http.Request, _ http.Handler) { <-r.Context().Done() })
	o.asked()
	eventually(t, "an answer without a request to the upstream", func() bool {
		o.asked()
		r.get(t, tag).want(t, 200, img.body)
		return len(o.asked()) == 0
	})
	got := r.get(t, "team/app/manifests/2")
	got.want(t, 503, nil)
	if got.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After for what is not cached")
	}
	o.heal()
	eventually(t, "an answer without a warning", func() bool { return r.get(t, tag).Header.Get("Warning") == "" })
}
