package pullthrough_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/registryhub/registryhub/proxy/store"
)

// fullStore has room for some bytes of each fill.
type fullStore struct {
	store.Store
	room int
}

func (s fullStore) Partial(ctx context.Context, d digest.Digest, size int64) (store.Partial, error) {
	p, err := s.Store.Partial(ctx, d, size)
	return &fullPartial{Partial: p, room: s.room}, err
}

type fullPartial struct {
	store.Partial
	mu   sync.Mutex
	room int
}

func (p *fullPartial) WriteAt(b []byte, offset int64) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, err := p.Partial.WriteAt(b[:min(len(b), p.room)], offset)
	p.room -= n
	if err == nil && n < len(b) {
		err = fmt.Errorf("writing: %w", store.ErrNoSpace)
	}
	return n, err
}

func TestFullStoreStreamsThroughToEveryReader(t *testing.T) {
	for _, room := range []int{0, 1, 500 << 10, 1<<20 - 1000} {
		o := newOrigin(t)
		img := o.pushImage(t, "team/app", "1", 1<<20)
		var told atomic.Int64
		r := start(t, setup{upstreams: []string{o.URL}, wrap: func(s store.Store) store.Store { return fullStore{s, room} }, full: func() { told.Add(1) }})
		var group errgroup.Group
		for range 4 {
			group.Go(func() error {
				resp, err := r.open(t.Context(), http.MethodGet, "team/app/blobs/"+img.layer.String())
				if err != nil {
					return err
				}
				defer resp.Body.Close()
				body, err := io.ReadAll(resp.Body)
				if err != nil || digest.FromBytes(body) != img.layer {
					return fmt.Errorf("with room for %d bytes: got %d, %d bytes, error %w", room, resp.StatusCode, len(body), err)
				}
				return nil
			})
		}
		must(t, group.Wait())
		if leftovers, err := os.ReadDir(r.dir + "/partial"); err != nil || len(leftovers) > 0 {
			t.Errorf("the full store still holds %v (%v)", leftovers, err)
		}
		if told.Load() == 0 {
			t.Errorf("with room for %d bytes nobody was told that the store is full", room)
		}
		o.fail(flipped(0))
		if got := r.get(t, "team/app/blobs/"+img.layer.String()); got.err == nil && got.StatusCode == http.StatusOK {
			t.Error("wrong bytes were completed while nothing is kept")
		}
	}
}

func TestPredecessorThatDrainsHasTheFillAndTheBlobStreamsThrough(t *testing.T) {
	o := newOrigin(t)
	img := o.pushImage(t, "team/app", "1", 1<<20)
	dir := t.TempDir()
	held, err := openStore(t, dir).Partial(t.Context(), img.layer, -1)
	must(t, err)
	r := start(t, setup{dir: dir, upstreams: []string{o.URL}})
	path := "team/app/blobs/" + img.layer.String()
	r.get(t, path).want(t, 200, img.content)
	r.get(t, path, "Range", "bytes=1000-1999").want(t, 206, img.content[1000:2000])
	must(t, held.Discard())
	r.get(t, path).want(t, 200, img.content)
	r.settle(t, img.layer)
}

// fileCounter counts what arrives at the server as a piece of a file, which net/http hands to sendfile(2).
type fileCounter struct {
	http.ResponseWriter
	bytes *atomic.Int64
}

func (w fileCounter) ReadFrom(src io.Reader) (int64, error) {
	limited, ok := src.(*io.LimitedReader)
	if !ok {
		return io.Copy(w.ResponseWriter, src)
	}
	n, err := w.ResponseWriter.(io.ReaderFrom).ReadFrom(limited)
	if _, ok := limited.R.(*os.File); ok {
		w.bytes.Add(n)
	}
	return n, err
}

func (w fileCounter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func TestKernelSendsBlobs(t *testing.T) {
	o := newOrigin(t)
	img := o.pushImage(t, "team/app", "1", 1<<20)
	var sent atomic.Int64
	r := start(t, setup{upstreams: []string{o.URL}, handler: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { next.ServeHTTP(fileCounter{w, &sent}, req) })
	}})
	path := "team/app/blobs/" + img.layer.String()
	for _, what := range []string{"a miss", "a hit"} {
		r.get(t, path).want(t, 200, img.content)
		if got := sent.Swap(0); got != 1<<20 {
			t.Errorf("%s: the kernel sent %d bytes of a file, want all %d", what, got, 1<<20)
		}
		r.settle(t, img.layer)
	}
	r.get(t, path, "Range", "bytes=1000-").want(t, 206, img.content[1000:])
	if got := sent.Load(); got != 1<<20-1000 {
		t.Errorf("a range: the kernel sent %d bytes of a file, want all %d", got, 1<<20-1000)
	}
}

func TestMemoryIsFlatWhateverTheBlob(t *testing.T) {
	const size = 256 << 20
	o := newOrigin(t)
	d := digest.SHA256.Digester()
	_, err := io.CopyN(d.Hash(), zeros{}, size)
	must(t, err)
	o.fail(func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set("Content-Length", strconv.Itoa(size))
		_, _ = io.CopyN(w, zeros{}, size)
	})
	r := start(t, setup{upstreams: []string{o.URL}})
	before := heap()
	var peak atomic.Uint64
	watched := make(chan struct{})
	stop := make(chan struct{})
	go func() {
		defer close(watched)
		for {
			peak.Store(max(peak.Load(), heap()))
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	for range 2 {
		resp, err := r.open(t.Context(), http.MethodGet, "team/app/blobs/"+d.Digest().String())
		must(t, err)
		n, err := io.Copy(io.Discard, resp.Body)
		must(t, err)
		must(t, resp.Body.Close())
		if n != size {
			t.Errorf("got %d bytes, want %d", n, size)
		}
		r.settle(t, d.Digest())
	}
	close(stop)
	<-watched
	if grown := int64(peak.Load()) - int64(before); grown > 32<<20 {
		t.Errorf("the heap grew by %d MiB for a blob of %d MiB, want at most 32", grown>>20, size>>20)
	}
}

func heap() uint64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// zeros never end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
