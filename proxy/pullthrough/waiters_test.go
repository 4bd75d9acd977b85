package pullthrough_test

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"
)

// queue counts the requests that wait. One that has joined what it waits for asks its context when to leave, and none
// asks before.
type queue struct{ length atomic.Int64 }

func (q *queue) handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(&queued{Context: r.Context(), queue: q}))
	})
}

type queued struct {
	context.Context //nolint:containedctx // it is one

	queue *queue
	once  sync.Once
}

func (c *queued) Done() <-chan struct{} {
	c.once.Do(func() { c.queue.length.Add(1) })
	return c.Context.Done()
}

// together has so many clients ask for the same, and the upstream answer when all of them wait.
func together(t *testing.T, r *rig, o *origin, q *queue, n int, method, path string) []reply {
	t.Helper()
	answer, now := make(chan struct{}), o.fault
	release := sync.OnceFunc(func() { close(answer) })
	t.Cleanup(release)
	o.fail(func(w http.ResponseWriter, req *http.Request, next http.Handler) {
		<-answer
		if now != nil {
			now(w, req, next)
			return
		}
		next.ServeHTTP(w, req)
	})
	replies := make([]reply, n)
	var group errgroup.Group
	for i := range replies {
		group.Go(func() error {
			resp, err := r.open(t.Context(), method, path)
			if err != nil {
				return err
			}
			replies[i].Response = resp
			replies[i].body, replies[i].err = io.ReadAll(resp.Body)
			return resp.Body.Close()
		})
	}
	eventually(t, "all wait", func() bool { return q.length.Load() == int64(n) })
	release()
	must(t, group.Wait())
	return replies
}

func TestAllWhoWaitForABlobGetTheSameErrorOfItsOneTransfer(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		trouble fault
		status  int
		asked   int // as often as for one client
	}{
		"refused":   {status(403), 403, 1},
		"not found": {status(404), 404, 1},
		"trouble":   {status(503), 503, 2},
		"wrong":     {flipped(0), 503, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, q := newOrigin(t), &queue{}
			img := o.pushImage(t, "team/app", "1", 1000)
			o.fail(tc.trouble)
			r := start(t, setup{upstreams: []string{o.URL}, handler: q.handler})
			path := "team/app/blobs/" + img.layer.String()
			replies := together(t, r, o, q, 20, http.MethodGet, path)
			for _, one := range replies {
				one.want(t, tc.status, replies[0].body)
				if diff := cmp.Diff(headers(replies[0]), headers(one)); diff != "" {
					t.Errorf("headers (-one +another):\n%s", diff)
				}
			}
			if got := o.asked(); len(got) != tc.asked {
				t.Errorf("the upstream was asked %q, want %d requests", got, tc.asked)
			}
		})
	}
}

func TestAllWhoWaitForALargeBlobThatIsWrongAreCutAfterItsOneTransfer(t *testing.T) {
	t.Parallel()
	o, q := newOrigin(t), &queue{}
	img := o.pushImage(t, "team/app", "1", 1<<20)
	o.fail(flipped(0))
	r := start(t, setup{upstreams: []string{o.URL}, handler: q.handler})
	path := "team/app/blobs/" + img.layer.String()
	for _, one := range together(t, r, o, q, 20, http.MethodGet, path) {
		wantIncomplete(t, one)
	}
	wantAsked(t, o, "GET "+path)
	if got := r.counted(t, "digest_mismatches_total")[""]; got != 1 {
		t.Errorf("%v mismatches are counted, want 1", got)
	}
}

func TestManyWhoAskAboutABlobAreOneQuestion(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		trouble fault
		status  int
	}{
		"it is there": {nil, 200},
		"it is not":   {status(404), 404},
		"it is kept":  {status(403), 403},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, q := newOrigin(t), &queue{}
			img := o.pushImage(t, "team/app", "1", 1<<20)
			o.fail(tc.trouble)
			r := start(t, setup{upstreams: []string{o.URL}, handler: q.handler})
			path := "team/app/blobs/" + img.layer.String()
			for _, one := range together(t, r, o, q, 20, http.MethodHead, path) {
				one.want(t, tc.status, nil)
				if length := one.Header.Get("Content-Length"); tc.status == 200 && length != strconv.Itoa(1<<20) {
					t.Errorf("Content-Length: got %s, want %d", length, 1<<20)
				}
			}
			wantAsked(t, o, "HEAD "+path)
		})
	}
}
