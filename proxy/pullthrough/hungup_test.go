package pullthrough_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/registryhub/registryhub/proxy/store"
)

func cutEarly(w http.ResponseWriter, r *http.Request, next http.Handler) {
	next.ServeHTTP(&cuttingWriter{ResponseWriter: w, left: 200 << 10}, r)
}

// TestUpstreamThatHangsUpForGoodEndsTheAnswer holds that the end of a connection is not taken for that of what was asked for: the
// transfer would begin again without end, and whoever waits for it wait as long.
func TestUpstreamThatHangsUpForGoodEndsTheAnswer(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		wrap func(store.Store) store.Store
		// before it hangs up
		before []fault
	}{
		"kept":    {before: []fault{cutEarly}},
		"no room": {before: []fault{pass, cutEarly}, wrap: func(s store.Store) store.Store { return fullStore{s, 0} }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOrigin(t)
			img := o.pushImage(t, "team/app", "1", 1<<20)
			r := start(t, setup{upstreams: []string{o.URL}, wrap: tc.wrap})
			var asked atomic.Int32
			o.fail(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "/blobs/") {
					next.ServeHTTP(w, r)
					return
				}
				i := int(asked.Add(1)) - 1
				if i >= len(tc.before) {
					panic(http.ErrAbortHandler) // before a byte
				}
				tc.before[i](w, r, next)
			})
			got := r.get(t, "team/app/blobs/"+img.layer.String())
			if got.StatusCode != http.StatusOK || len(got.body) == 0 || got.err == nil {
				t.Errorf("got %d, %d bytes of %d, error %v, want some, and an error", got.StatusCode, len(got.body), len(img.content), got.err)
			}
		})
	}
}
