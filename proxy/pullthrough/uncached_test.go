package pullthrough_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/registryhub/registryhub/proxy/store"
)

// unsteady is an upstream that ends its first transfers early, those for the store excepted.
type unsteady struct {
	stored fault // how the first is answered; nil: there is none
	cuts   int

	mu    sync.Mutex
	began bool
	asked []string
}

func (u *unsteady) fault(w http.ResponseWriter, r *http.Request, next http.Handler) {
	if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "/blobs/") {
		next.ServeHTTP(w, r)
		return
	}
	u.mu.Lock()
	stored := u.stored != nil && !u.began
	u.began = true
	if !stored {
		u.asked = append(u.asked, r.Header.Get("Range"))
	}
	cut := len(u.asked) <= u.cuts
	u.mu.Unlock()
	switch {
	case stored:
		u.stored(w, r, next)
	case cut:
		next.ServeHTTP(&cuttingWriter{ResponseWriter: w, left: 200 << 10}, r)
	default:
		next.ServeHTTP(w, r)
	}
}

func (u *unsteady) ranges() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.asked)
}

func pass(w http.ResponseWriter, r *http.Request, next http.Handler) { next.ServeHTTP(w, r) }

func TestUpstreamCutWhileNothingIsKeptIsResumedByRangeAndNobodySees(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		room   int
		locked bool
		stored fault
		want   []string
	}{
		"the store is full":        {stored: pass, want: []string{"", "bytes=204800-", "bytes=409600-"}},
		"a predecessor has it":     {locked: true, want: []string{"", "bytes=204800-", "bytes=409600-"}},
		"the store becomes full":   {room: 500 << 10, want: []string{"bytes=512000-", "bytes=716800-", "bytes=921600-"}},
		"it does in the last part": {room: 1<<20 - 1000, want: []string{"bytes=1047576-"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, slow, g := newOrigin(t), newSlow(), newGate(1000)
			img := o.pushImage(t, "team/app", "1", 1<<20)
			dir := t.TempDir()
			if tc.locked {
				held, err := openStore(t, dir).Partial(t.Context(), img.layer, -1)
				must(t, err)
				t.Cleanup(func() { must(t, held.Discard()) })
			}
			if tc.room > 0 {
				tc.stored = g.fault
			}
			up := &unsteady{stored: tc.stored, cuts: 2}
			r := start(t, setup{dir: dir, upstreams: []string{o.URL}, handler: slow.handler, wrap: func(s store.Store) store.Store {
				if tc.locked {
					return s
				}
				return fullStore{s, tc.room}
			}})
			t.Cleanup(g.release)
			t.Cleanup(slow.wake)
			o.fail(up.fault)
			got := make(chan reply, 1)
			go func() { got <- r.get(t, "team/app/blobs/"+img.layer.String(), slowly, "yes") }()
			<-slow.stuck // it follows the fill, where there is one
			g.release()
			slow.wake()
			(<-got).want(t, http.StatusOK, img.content)
			if diff := cmp.Diff(tc.want, up.ranges()); diff != "" {
				t.Errorf("asked of the upstream (-want +got):\n%s", diff)
			}
		})
	}
}
