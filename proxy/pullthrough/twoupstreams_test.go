package pullthrough_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// dying is an upstream that sends some segments, half of each that is under way then, and nothing after that.
type dying struct {
	whole   int // segments
	refusal fault

	mu    sync.Mutex
	asked []string
	dies  chan struct{} // closed when as many as there can be are under way
}

func newDying(whole int, refusal fault) *dying {
	return &dying{whole: whole, refusal: refusal, dies: make(chan struct{})}
}

func (d *dying) fault(w http.ResponseWriter, r *http.Request, next http.Handler) {
	if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "/blobs/") {
		next.ServeHTTP(w, r)
		return
	}
	switch n := d.enter(r.Header.Get("Range")); {
	case n <= d.whole:
		next.ServeHTTP(w, r)
	case n <= d.whole+segments.Parallel:
		select {
		case <-d.dies:
		case <-r.Context().Done():
		}
		next.ServeHTTP(&cuttingWriter{ResponseWriter: w, left: step / 2}, r)
	default:
		d.refusal(w, r, next)
	}
}

func (d *dying) enter(asked string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, asked)
	if len(d.asked) == d.whole+segments.Parallel {
		close(d.dies)
	}
	return len(d.asked)
}

// left are the requests for what is missing when it is dead, of a blob of so many segments.
func (d *dying) left(t *testing.T, n int) map[string]int {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.asked) < d.whole+segments.Parallel {
		t.Fatalf("the first was asked %q, and has not died of it", d.asked)
	}
	want := inSteps(n)
	for i, asked := range d.asked[:d.whole+segments.Parallel] {
		delete(want, asked)
		var from, to int
		if _, err := fmt.Sscanf(asked, "bytes=%d-%d", &from, &to); err == nil && i >= d.whole {
			want[fmt.Sprintf("bytes=%d-%d", from+step/2, to)] = 1
		}
	}
	return want
}

func TestUpstreamThatDiesAmongTheSegmentsLeavesTheRestToTheNext(t *testing.T) {
	t.Parallel()
	for name, refusal := range map[string]fault{
		"it is in trouble":        status(http.StatusServiceUnavailable),
		"it has nothing any more": status(http.StatusNotFound),
		"it does not answer":      func(http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first, second := newOrigin(t), newOrigin(t)
			img := first.pushImage(t, "team/app", "1", 20*step)
			second.pushBlob(t, "team/app", img.content)
			dead, seen := newDying(6, refusal), &ranges{}
			r := start(t, setup{upstreams: []string{first.URL, second.URL}, segments: segments})
			r.get(t, "team/app/manifests/1").want(t, http.StatusOK, img.body)
			first.fail(dead.fault)
			second.fail(seen.fault)
			r.promptly(t, "team/app/blobs/"+img.layer.String()).want(t, http.StatusOK, img.content)
			if diff := cmp.Diff(dead.left(t, 20), seen.asked()); diff != "" {
				t.Errorf("asked of the second (-want +got):\n%s", diff)
			}
			r.settle(t, img.layer)
		})
	}
}
