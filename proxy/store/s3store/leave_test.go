package s3store_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/registryhub/registryhub/proxy/store"
	"github.com/registryhub/registryhub/proxy/store/s3store"
)

// failing has requests fail that are so.
func failing(so func(*http.Request) bool) fault {
	return func(w http.ResponseWriter, r *http.Request, proxy http.Handler) {
		if so(r) {
			fails(w, r, proxy)
			return
		}
		proxy.ServeHTTP(w, r)
	}
}

func to(method, folder string) func(*http.Request) bool {
	return func(r *http.Request) bool { return r.Method == method && strings.Contains(r.URL.Path, folder) }
}

// reap reaps twice: what is thrown away, and then its traces.
func reap(t *testing.T, r *s3store.Registry) (reaped int) {
	t.Helper()
	for range 2 {
		n, err := r.ReapUploads(t.Context(), time.Now().Add(time.Hour))
		must(t, err)
		reaped += n
	}
	return reaped
}

func patient(t *testing.T, f *front) place {
	t.Helper()
	p := withFront(t, f)
	p.change = func(o *s3store.Options) { o.Timeouts.Answer = 20 * time.Second }
	return p
}

func TestAnUploadThatIsWholeIsMadeAnObjectByWhoeverGoesOn(t *testing.T) {
	for name, goOn := range map[string]func(*testing.T, *s3store.Registry, store.Upload){
		"the client, which asks again": func(t *testing.T, r *s3store.Registry, u store.Upload) {
			t.Helper()
			if size, err := r.Finish(t.Context(), u.ID, u.Size, nil, digest.FromString("begin,end")); err != nil || size != 9 {
				t.Errorf("got %d bytes and error %v", size, err)
			}
		},
		"who throws abandoned uploads away": func(t *testing.T, r *s3store.Registry, _ store.Upload) {
			t.Helper()
			if n := reap(t, r); n != 0 {
				t.Errorf("%d uploads were thrown away", n)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFront(t)
			p := patient(t, f)
			r := p.openRegistry(t)
			upload := add(t, r, begin(t, r), []byte("begin,"))
			f.do(failing(to(http.MethodPut, "/objects/")))
			if _, err := r.Finish(t.Context(), upload.ID, upload.Size, strings.NewReader("end"), digest.FromString("begin,end")); err == nil {
				t.Fatal("it is finished without an object")
			}
			f.mend()
			if err := r.CancelUpload(t.Context(), upload.ID); !errors.Is(err, store.ErrConflict) {
				t.Errorf("throwing away what is whole: got error %v, want ErrConflict", err)
			}
			goOn(t, r, upload)
			want(t, r, []byte("begin,end"))
			reap(t, r)
			want(t, r, []byte("begin,end"))
			p.wantPieces(t, 1)
			if left := p.keysIn(t, "uploads"); len(left) > 0 {
				t.Errorf("of uploads that are over there are still %q", left)
			}
		})
	}
}

func TestWhatCrashesLeftIsRemoved(t *testing.T) {
	abandoned := func(t *testing.T, f *front, r *s3store.Registry, lost func(*http.Request) bool, size int) {
		t.Helper()
		upload := add(t, r, begin(t, r), []byte("begin,"))
		f.do(failing(func(r *http.Request) bool { return lost(r) || r.Method == http.MethodDelete }))
		if _, err := r.Append(t.Context(), upload.ID, upload.Size, strings.NewReader(strings.Repeat("x", size))); err == nil {
			t.Fatal("it was added")
		}
		f.mend()
	}
	for name, tc := range map[string]struct {
		leave  func(t *testing.T, f *front, r *s3store.Registry)
		reaped int
	}{
		"an upload in parts": {func(t *testing.T, f *front, r *s3store.Registry) {
			t.Helper()
			abandoned(t, f, r, func(r *http.Request) bool { return r.URL.Query().Get("partNumber") == "2" }, 40<<20)
		}, 1},
		"a piece that no session names": {func(t *testing.T, f *front, r *s3store.Registry) { t.Helper(); abandoned(t, f, r, isSwap, 1000) }, 1},
		"pieces of an object that was removed": {func(t *testing.T, f *front, r *s3store.Registry) {
			t.Helper()
			finish(t, r, begin(t, r), []byte("whole"), []byte("whole"))
			reap(t, r)
			f.do(failing(to(http.MethodDelete, "/pieces/")))
			must(t, r.Remove(t.Context(), digest.FromString("whole"), time.Now().Add(time.Hour)))
			f.mend()
		}, 0},
		"pieces of an upload whose object was there": {func(t *testing.T, f *front, r *s3store.Registry) {
			t.Helper()
			must(t, r.Put(t.Context(), prove(t, []byte("whole")), []byte("whole")))
			f.do(failing(to(http.MethodDelete, "/pieces/")))
			finish(t, r, begin(t, r), []byte("whole"), []byte("whole"))
			f.mend()
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFront(t)
			p := patient(t, f)
			r := p.openRegistry(t)
			tc.leave(t, f, r)
			if n, err := r.ReapUploads(t.Context(), time.Now().Add(-time.Hour)); err != nil || n != 0 {
				t.Errorf("young ones: %d were thrown away, error %v", n, err)
			}
			if n := reap(t, r); n != tc.reaped {
				t.Errorf("%d uploads were thrown away, want %d", n, tc.reaped)
			}
			p.wantPieces(t, 0)
			if left := p.keysIn(t, "uploads"); len(left) > 0 {
				t.Errorf("of uploads there are still %q", left)
			}
		})
	}
}

func TestAPushHealsAnObjectWhosePiecesAreGone(t *testing.T) {
	p := newPlace(t)
	r := p.openRegistry(t)
	finish(t, r, begin(t, r), []byte("whole"), []byte("whole"))
	must(t, os.Remove(server.File(p.bucket, filepath.Join("hubs/docker-io/pieces", p.keysIn(t, "pieces")[0]))))
	finish(t, r, begin(t, r), []byte("whole"), []byte("whole"))
	want(t, r, []byte("whole"))
}

func TestWhatIsTakenAwayLeavesNothingForEver(t *testing.T) {
	p := newPlace(t)
	r, other := p.openRegistry(t), p.elsewhere(t).openRegistry(t)
	link := store.Link{Digest: digest.FromString("x"), Effective: debian.Name}
	must(t, r.Link(t.Context(), debian, link))
	must(t, r.SetTag(t.Context(), debian, "12", store.Tag{Digest: link.Digest}))
	must(t, r.Put(t.Context(), prove(t, []byte("x")), []byte("x")))
	must(t, r.Unlink(t.Context(), debian, link.Digest))
	must(t, r.DeleteTag(t.Context(), debian, "12"))
	must(t, r.Remove(t.Context(), link.Digest, time.Now().Add(time.Hour)))
	must(t, r.Undertake(t.Context(), time.Now().Add(-time.Hour)))
	if traces := append(p.keysIn(t, "objects"), p.keysIn(t, "repositories")...); len(traces) != 3 {
		t.Errorf("young traces are %q, want three", traces)
	}
	must(t, other.Undertake(t.Context(), time.Now().Add(time.Hour)))
	if traces := append(p.keysIn(t, "objects"), p.keysIn(t, "repositories")...); len(traces) > 0 {
		t.Errorf("old traces are %q, want none", traces)
	}
	must(t, r.SetTag(t.Context(), debian, "12", store.Tag{Digest: link.Digest}))
	must(t, other.GiveTag(t.Context(), debian, "13", store.Tag{Digest: link.Digest}))
}

// TestNobodyWritesWhereAKeyIsBeingRemoved has a process crash before it has removed a key.
func TestNobodyWritesWhereAKeyIsBeingRemoved(t *testing.T) {
	f := newFront(t)
	p := patient(t, f)
	r := p.openRegistry(t)
	tag := store.Tag{Digest: digest.FromString("x")}
	must(t, r.SetTag(t.Context(), debian, "12", tag))
	must(t, r.DeleteTag(t.Context(), debian, "12"))
	f.do(failing(to(http.MethodDelete, "/_tags/")))
	if err := r.Undertake(t.Context(), time.Now().Add(time.Hour)); err == nil {
		t.Fatal("it is removed")
	}
	f.mend()
	hasty, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := r.SetTag(hasty, debian, "12", tag); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while its key is being removed: got error %v, want that it waits", err)
	}
	must(t, r.Undertake(t.Context(), time.Now().Add(time.Hour)))
	if traces := p.keysIn(t, "repositories"); len(traces) != 1 {
		t.Errorf("another removed it too early: %q", traces)
	}
	longAgo := time.Now().Add(-2 * time.Minute)
	must(t, os.Chtimes(server.File(p.bucket, filepath.Join("hubs/docker-io/repositories", p.keysIn(t, "repositories")[0])), longAgo, longAgo))
	must(t, r.SetTag(t.Context(), debian, "12", tag))
	got, err := r.Tag(t.Context(), debian, "12")
	must(t, err)
	if got != tag {
		t.Errorf("the tag is %+v", got)
	}
}

// TestMemoryDoesNotGrowWithWhatIsPushed pushes more than the heap may have.
func TestMemoryDoesNotGrowWithWhatIsPushed(t *testing.T) {
	const pushes, size, most = 32, 18 << 20, 100 << 20
	p := newPlace(t)
	p.change = func(o *s3store.Options) { o.Transport.MaxIdleConnsPerHost = 64 }
	r := p.openRegistry(t)
	runtime.GC()
	before, peak := heap(), uint64(0)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			peak = max(peak, heap())
			select {
			case <-tick.C:
			case <-stop:
				return
			}
		}
	}()
	var group errgroup.Group
	for range pushes {
		group.Go(func() error {
			upload, err := r.BeginUpload(t.Context(), debian)
			if err == nil {
				_, err = r.Append(t.Context(), upload.ID, 0, io.LimitReader(zeros{}, size))
			}
			return err
		})
	}
	must(t, group.Wait())
	close(stop)
	<-stopped
	if grown := int64(peak) - int64(before); grown > most {
		t.Errorf("the heap grew by %d MiB for %d pushes of %d MiB", grown>>20, pushes, size>>20)
	} else {
		t.Logf("the heap grew by %d KiB", grown>>10)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func heap() uint64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapInuse
}

// TestALinkIsThereThoughItWasTakenAwayMeanwhile has a collector take a link away between the two looks of who replaces it.
func TestALinkIsThereThoughItWasTakenAwayMeanwhile(t *testing.T) {
	f := newFront(t)
	p := patient(t, f)
	r := p.openRegistry(t)
	p.endpoint = server.Endpoint()
	collector := p.elsewhere(t).openRegistry(t)
	link := store.Link{Digest: digest.FromString("x"), Size: 1}
	must(t, r.Link(t.Context(), debian, link))
	var once sync.Once
	f.do(func(w http.ResponseWriter, request *http.Request, proxy http.Handler) {
		if to(http.MethodPut, "/_links/")(request) {
			once.Do(func() {
				if err := collector.UnlinkUnused(request.Context(), debian, link.Digest, time.Now().Add(time.Hour)); err != nil {
					t.Error(err)
				}
			})
		}
		proxy.ServeHTTP(w, request)
	})
	link.Manifest = true
	must(t, r.Link(t.Context(), debian, link))
	if got, err := collector.Linked(t.Context(), debian, link.Digest); err != nil || got != link {
		t.Errorf("the link is %+v, error %v", got, err)
	}
}

// TestWhatIsKeptMeanwhileIsNotRemoved has a push keep an object, and a link, between the two looks of a collector.
func TestWhatIsKeptMeanwhileIsNotRemoved(t *testing.T) {
	f := newFront(t)
	p := patient(t, f)
	collector := p.openRegistry(t)
	p.endpoint = server.Endpoint()
	r := p.elsewhere(t).openRegistry(t)
	whole := []byte("whole")
	d := digest.FromBytes(whole)
	finish(t, r, begin(t, r), whole, whole)
	must(t, r.Link(t.Context(), debian, store.Link{Digest: d}))
	for what, tc := range map[string]struct {
		folder string
		keep   func() error
		remove func() error
	}{
		"an object": {"/objects/", func() error { return r.Keep(t.Context(), d) }, func() error { return collector.Remove(t.Context(), d, time.Now().Add(time.Hour)) }},
		"a link": {"/_links/", func() error { return r.Renew(t.Context(), debian, d) }, func() error {
			return collector.UnlinkUnused(t.Context(), debian, d, time.Now().Add(time.Hour))
		}},
	} {
		var once sync.Once
		f.do(func(w http.ResponseWriter, request *http.Request, proxy http.Handler) {
			if to(http.MethodPut, tc.folder)(request) {
				once.Do(func() {
					if err := tc.keep(); err != nil {
						t.Error(err)
					}
				})
			}
			proxy.ServeHTTP(w, request)
		})
		if err := tc.remove(); !errors.Is(err, store.ErrInUse) {
			t.Errorf("removing %s that is kept meanwhile: got error %v, want ErrInUse", what, err)
		}
	}
	f.mend()
	want(t, r, whole)
	_, err := r.Linked(t.Context(), debian, d)
	must(t, err)
}
