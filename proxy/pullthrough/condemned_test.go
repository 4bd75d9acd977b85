package pullthrough_test

import (
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/registryhub/registryhub/proxy/store"
)

// A client that was cut asks for the rest, and after a minute has given up or begun again: a range is a range then.
func TestTheRestOfAWrongBlobIsRefusedForAMinuteAndNoLonger(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]setup{
		"one transfer":      {},
		"segments":          {segments: segments},
		"nothing is stored": {wrap: func(s store.Store) store.Store { return fullStore{s, 0} }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOrigin(t)
			img := o.pushImage(t, "team/app", "1", 4*step)
			s.upstreams = []string{o.URL}
			r := start(t, s)
			path := "team/app/blobs/" + img.layer.String()
			o.fail(flipped(0))
			wantIncomplete(t, r.get(t, path))
			if got := r.counted(t, "digest_mismatches_total")[""]; got != 1 {
				t.Errorf("%v mismatches are counted, want 1", got)
			}
			o.heal()
			o.asked()
			r.clock.advance(59 * time.Second)
			refused := r.get(t, path, "Range", "bytes=1000-")
			refused.want(t, http.StatusServiceUnavailable, nil)
			if refused.Header.Get("Retry-After") == "" {
				t.Error("the refusal does not say when to come again")
			}
			wantAsked(t, o)
			r.clock.advance(2 * time.Second)
			r.get(t, path, "Range", "bytes=1000-").want(t, http.StatusPartialContent, img.content[1000:])
		})
	}
}

// wantIncomplete takes a body that is cut, or 503 where no byte of it was out.
func wantIncomplete(t *testing.T, got reply) {
	t.Helper()
	if got.StatusCode != http.StatusServiceUnavailable && !errors.Is(got.err, io.ErrUnexpectedEOF) {
		t.Errorf("got %d, %d bytes, error %v, want 503 or a body that is cut", got.StatusCode, len(got.body), got.err)
	}
}

// Another mismatch within the minute begins another one.
func TestAMismatchAgainIsAnotherMinute(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	img := o.pushImage(t, "team/app", "1", 1<<20)
	r := start(t, setup{upstreams: []string{o.URL}})
	path := "team/app/blobs/" + img.layer.String()
	o.fail(flipped(0))
	for range 2 {
		wantIncomplete(t, r.get(t, path))
		r.clock.advance(40 * time.Second)
	}
	o.heal()
	r.get(t, path, "Range", "bytes=1000-").want(t, http.StatusServiceUnavailable, nil)
	if got := r.counted(t, "digest_mismatches_total")[""]; got != 2 {
		t.Errorf("%v mismatches are counted, want 2", got)
	}
}

func TestAfterAMinuteTheUpstreamThatWasWrongIsAskedFirstAgain(t *testing.T) {
	t.Parallel()
	first, second := newOrigin(t), newOrigin(t)
	img := first.pushImage(t, "team/app", "1", 1<<20)
	second.pushBlob(t, "team/app", img.content)
	r := start(t, setup{upstreams: []string{first.URL, second.URL}})
	path := "team/app/blobs/" + img.layer.String()
	wantIncomplete(t, r.beginWrongly(t, first, path, 0))
	first.heal()
	r.clock.advance(61 * time.Second)
	r.get(t, path).want(t, http.StatusOK, img.content)
	wantAsked(t, second)
}
