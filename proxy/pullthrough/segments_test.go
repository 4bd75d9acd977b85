package pullthrough_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"github.com/registryhub/registryhub/proxy/pullthrough"
	"github.com/registryhub/registryhub/proxy/store"
)

const step = 256 << 10

var segments = pullthrough.Segments{Size: step, Parallel: 4}

// ranges notes which bytes of blobs are asked for, and how many at once.
type ranges struct {
	mu      sync.Mutex
	seen    map[string]int
	at, max int
	next    fault
}

func (r *ranges) fault(w http.ResponseWriter, req *http.Request, registry http.Handler) {
	if req.Method == http.MethodGet && strings.Contains(req.URL.Path, "/blobs/") {
		r.enter(req.Header.Get("Range"))
		defer r.leave()
	}
	if r.next != nil {
		r.next(w, req, registry)
		return
	}
	registry.ServeHTTP(w, req)
}

func (r *ranges) enter(asked string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen == nil {
		r.seen = map[string]int{}
	}
	r.seen[asked]++
	r.at++
	r.max = max(r.max, r.at)
}

func (r *ranges) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at--
}

func (r *ranges) asked() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen
}

// inSteps are the requests for a blob of so many steps, once each.
func inSteps(n int) map[string]int {
	want := map[string]int{}
	for i := range n {
		want[fmt.Sprintf("bytes=%d-%d", i*step, (i+1)*step-1)] = 1
	}
	// The last is asked for up to the end, wherever that is.
	delete(want, fmt.Sprintf("bytes=%d-%d", (n-1)*step, n*step-1))
	want[fmt.Sprintf("bytes=%d-", (n-1)*step)] = 1
	return want
}

// barrier holds the requests for blobs until so many are there.
func barrier(n int) fault {
	var mu sync.Mutex
	there, full := 0, make(chan struct{})
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") && r.Header.Get("Range") != fmt.Sprintf("bytes=0-%d", step-1) {
			mu.Lock()
			if there++; there == n {
				close(full)
			}
			mu.Unlock()
			select {
			case <-full:
			case <-r.Context().Done():
			}
		}
		next.ServeHTTP(w, r)
	}
}

func TestLargeBlobIsFetchedInSegmentsAtOnceEachByteOnce(t *testing.T) {
	o := newOrigin(t)
	img := o.pushImage(t, "team/app", "1", 9*step)
	seen := &ranges{next: barrier(3)} // beside the first, which tells that there are ranges
	r := start(t, setup{upstreams: []string{o.URL}, segments: segments})
	r.get(t, "team/app/manifests/1").want(t, 200, img.body)
	o.fail(seen.fault)
	r.get(t, "team/app/blobs/"+img.layer.String()).want(t, 200, img.content)
	if diff := cmp.Diff(inSteps(9), seen.asked()); diff != "" {
		t.Errorf("asked of the upstream (-want +got):\n%s", diff)
	}
	if seen.max > 4 {
		t.Errorf("%d segments at once, want at most 4", seen.max)
	}
	r.settle(t, img.layer)
	r.get(t, "team/app/blobs/"+img.layer.String()).want(t, 200, img.content)
}

func TestBlobIsFetchedWhole(t *testing.T) {
	tests := map[string]struct {
		segments pullthrough.Segments
		size     int
	}{
		"when it is small":                  {segments, 2*step - 1},
		"when segments are switched off":    {pullthrough.Segments{Size: step, Parallel: 1}, 9 * step},
		"when nothing is said of segments":  {pullthrough.Segments{}, 9 * step},
		"when it is smaller than a segment": {pullthrough.Segments{Size: 100 * step, Parallel: 4}, 9 * step},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			o, seen := newOrigin(t), &ranges{}
			img := o.pushImage(t, "team/app", "1", tc.size)
			r := start(t, setup{upstreams: []string{o.URL}, segments: tc.segments})
			r.get(t, "team/app/manifests/1").want(t, 200, img.body)
			o.fail(seen.fault)
			r.get(t, "team/app/blobs/"+img.layer.String()).want(t, 200, img.content)
			if diff := cmp.Diff(map[string]int{"": 1}, seen.asked()); diff != "" {
				t.Errorf("asked of the upstream (-want +got):\n%s", diff)
			}
		})
	}
}

// withoutRanges answers with the whole, whatever part was asked for.
func withoutRanges(w http.ResponseWriter, r *http.Request, next http.Handler) {
	r = r.Clone(r.Context())
	r.Header.Del("Range")
	next.ServeHTTP(w, r)
}

func TestUpstreamWithoutRangesSendsABlobOnce(t *testing.T) {
	for name, known := range map[string]bool{"the size is known from a manifest": true, "it is not": false} {
		t.Run(name, func(t *testing.T) {
			o, seen := newOrigin(t), &ranges{next: withoutRanges}
			img := o.pushImage(t, "team/app", "1", 9*step)
			r := start(t, setup{upstreams: []string{o.URL}, segments: segments})
			if known {
				r.get(t, "team/app/manifests/1").want(t, 200, img.body)
			}
			o.fail(seen.fault)
			r.get(t, "team/app/blobs/"+img.layer.String()).want(t, 200, img.content)
			if got := seen.asked(); len(got) != 1 {
				t.Errorf("asked of the upstream: %v, want one request", got)
			}
		})
	}
}

// TestRangeFarAheadOfAColdBlobDoesNotWaitForWhatIsBefore has the first transfer hang, for good.
func TestRangeFarAheadOfAColdBlobDoesNotWaitForWhatIsBefore(t *testing.T) {
	o, g := newOrigin(t), newGate(1000)
	t.Cleanup(g.release)
	img := o.pushImage(t, "team/app", "1", 40*step)
	seen := &ranges{next: func(w http.ResponseWriter, req *http.Request, next http.Handler) {
		if strings.HasPrefix(req.Header.Get("Range"), fmt.Sprintf("bytes=%d", 30*step)) {
			next.ServeHTTP(w, req)
			return
		}
		g.fault(w, req, next)
	}}
	r := start(t, setup{upstreams: []string{o.URL}, segments: segments})
	r.get(t, "team/app/manifests/1").want(t, 200, img.body)
	o.fail(seen.fault)
	path := "team/app/blobs/" + img.layer.String()
	var group errgroup.Group
	group.Go(func() error {
		resp, err := r.open(t.Context(), http.MethodGet, path)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if !bytes.Equal(body, img.content) {
			return errors.Join(errors.New("the whole has the wrong bytes"), err)
		}
		return err
	})
	from, to := 30*step, 31*step-1
	r.get(t, path, "Range", fmt.Sprintf("bytes=%d-%d", from, to)).want(t, 206, img.content[from:to+1])
	g.release()
	must(t, group.Wait())
	for asked, times := range seen.asked() {
		if times != 1 {
			t.Errorf("%s was asked for %d times", asked, times)
		}
	}
}

func TestUpstreamThatAllowsOneConnectionAtATimeIsEnough(t *testing.T) {
	o := newOrigin(t)
	img := o.pushImage(t, "team/app", "1", 9*step)
	var mu sync.Mutex
	busy := 0
	seen := &ranges{next: func(w http.ResponseWriter, req *http.Request, next http.Handler) {
		mu.Lock()
		busy++
		tooMany := busy > 1
		mu.Unlock()
		if tooMany {
			w.WriteHeader(http.StatusTooManyRequests)
		} else {
			next.ServeHTTP(w, req)
		}
		mu.Lock()
		busy--
		mu.Unlock()
	}}
	r := start(t, setup{upstreams: []string{o.URL}, segments: segments})
	r.get(t, "team/app/manifests/1").want(t, 200, img.body)
	o.fail(seen.fault)
	r.get(t, "team/app/blobs/"+img.layer.String()).want(t, 200, img.content)
}

func TestFillWithGapsIsTakenUpWhereBytesAreMissing(t *testing.T) {
	o := newOrigin(t)
	img := o.pushImage(t, "team/app", "1", 9*step)
	dir := t.TempDir()
	p, err := openStore(t, dir).Partial(t.Context(), img.layer, -1)
	must(t, err)
	for _, run := range []store.Extent{{Start: 0, End: step}, {Start: 2 * step, End: 6*step + 100}} {
		_, err = p.WriteAt(img.content[run.Start:run.End], run.Start)
		must(t, err)
	}
	must(t, p.Close())
	seen := &ranges{}
	r := start(t, setup{dir: dir, upstreams: []string{o.URL}, segments: segments})
	r.get(t, "team/app/manifests/1").want(t, 200, img.body)
	o.fail(seen.fault)
	r.get(t, "team/app/blobs/"+img.layer.String()).want(t, 200, img.content)
	want := map[string]int{
		fmt.Sprintf("bytes=%d-%d", step, 2*step-1):        1,
		fmt.Sprintf("bytes=%d-%d", 6*step+100, 7*step+99): 1,
		fmt.Sprintf("bytes=%d-%d", 7*step+100, 8*step+99): 1,
		fmt.Sprintf("bytes=%d-", 8*step+100):              1,
	}
	if diff := cmp.Diff(want, seen.asked()); diff != "" {
		t.Errorf("asked of the upstream (-want +got):\n%s", diff)
	}
}

func TestFullStoreStreamsOnWhateverSegmentsWereThere(t *testing.T) {
	for _, room := range []int{0, 1, step, 3*step + 1000, 8 * step} {
		o := newOrigin(t)
		img := o.pushImage(t, "team/app", "1", 9*step)
		r := start(t, setup{
			upstreams: []string{o.URL}, segments: segments, full: func() {},
			wrap: func(s store.Store) store.Store { return fullStore{s, room} },
		})
		r.get(t, "team/app/manifests/1").want(t, 200, img.body)
		var group errgroup.Group
		for _, from := range []int{0, 0, 4 * step, 8*step + 10} {
			group.Go(func() error {
				resp, err := r.open(t.Context(), http.MethodGet, "team/app/blobs/"+img.layer.String(), "Range", fmt.Sprintf("bytes=%d-", from))
				if err != nil {
					return err
				}
				defer resp.Body.Close()
				body, err := io.ReadAll(resp.Body)
				if err != nil || !bytes.Equal(body, img.content[from:]) {
					return fmt.Errorf("room for %d bytes, from %d: got %d, %d bytes, error %w", room, from, resp.StatusCode, len(body), err)
				}
				return nil
			})
		}
		must(t, group.Wait())
	}
}

func TestWrongSegmentIsNeverKept(t *testing.T) {
	o := newOrigin(t)
	img := o.pushImage(t, "team/app", "1", 9*step)
	wrong := fmt.Sprintf("bytes=%d-", 5*step)
	o.fail(func(w http.ResponseWriter, req *http.Request, next http.Handler) {
		if strings.HasPrefix(req.Header.Get("Range"), wrong) {
			flipped(0)(w, req, next)
			return
		}
		next.ServeHTTP(w, req)
	})
	r := start(t, setup{upstreams: []string{o.URL}, segments: segments})
	r.get(t, "team/app/manifests/1").want(t, 200, img.body)
	path := "team/app/blobs/" + img.layer.String()
	if cut := r.get(t, path); !errors.Is(cut.err, io.ErrUnexpectedEOF) || len(cut.body) > len(img.content)-64<<10 {
		t.Errorf("got %d bytes, error %v, want a body that is cut before its last 64 KiB", len(cut.body), cut.err)
	}
	o.heal()
	r.get(t, path).want(t, 200, img.content)
}

// TestUpstreamThatPromisesRangesAndHasNoneSendsABlobOnce has no size from a manifest, so that the first transfer is open.
func TestUpstreamThatPromisesRangesAndHasNoneSendsABlobOnce(t *testing.T) {
	o := newOrigin(t)
	img := o.pushImage(t, "team/app", "1", 20*step)
	o.fail(func(w http.ResponseWriter, req *http.Request, next http.Handler) {
		w.Header().Set("Accept-Ranges", "bytes")
		withoutRanges(w, req, next)
	})
	r := start(t, setup{upstreams: []string{o.URL}, segments: segments})
	r.get(t, "team/app/blobs/"+img.layer.String()).want(t, 200, img.content)
}
