package s3store_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/store"
	"github.com/registryhub/registryhub/proxy/store/s3store"
)

// fault is what becomes of a request; proxy answers it as the server would.
type fault func(w http.ResponseWriter, r *http.Request, proxy http.Handler)

// front stands before the server, and does to requests what it is told to.
type front struct {
	*httptest.Server
	fault    atomic.Pointer[fault]
	requests atomic.Int64
}

func newFront(t *testing.T) *front {
	t.Helper()
	behind, err := url.Parse(server.Endpoint())
	must(t, err)
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(behind)
		r.Out.Host = r.In.Host // which is signed
	}, Transport: &http.Transport{DisableKeepAlives: true}}
	f := &front{}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.requests.Add(1)
		if fault := f.fault.Load(); fault != nil {
			(*fault)(w, r, proxy)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(f.Close)
	return f
}

func (f *front) do(what fault) { f.fault.Store(&what) }

func (f *front) mend() { f.fault.Store(nil) }

func hangs(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
	_, _ = io.Copy(io.Discard, r.Body) // or it is not known when the client goes
	<-r.Context().Done()
}

func refuses(http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) }

func fails(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
	http.Error(w, "", http.StatusInternalServerError)
}

// withFront is a place behind a front, with time-outs that a test can wait for.
func withFront(t *testing.T, f *front) place {
	t.Helper()
	p := newPlace(t)
	p.endpoint = f.URL
	p.change = func(o *s3store.Options) {
		o.Timeouts.Answer, o.Timeouts.Idle = 500*time.Millisecond, 500*time.Millisecond
	}
	return p
}

func TestServerInTroubleFailsTheStoreAndLosesNothing(t *testing.T) {
	for name, tc := range map[string]struct {
		fault fault
		// silent: it is not asked again for a while.
		silent bool
	}{
		"a server that hangs":            {hangs, true},
		"a server that cuts connections": {refuses, true},
		"a server that answers 500":      {fails, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFront(t)
			p := withFront(t, f)
			if !tc.silent { // what is tried again takes longer by chance than it is worth to wait for one that hangs
				p.change = func(o *s3store.Options) { o.Timeouts.Answer = 20 * time.Second }
			}
			s := p.open(t)
			d := put(t, s, "kept")
			f.do(tc.fault)
			wantFailing(t, s, d)
			asked := f.requests.Load()
			wantFailing(t, s, d)
			if silent := f.requests.Load() == asked; silent != tc.silent {
				t.Errorf("it is asked no more: %v, want %v", silent, tc.silent)
			}
			if err := s.Probe(t.Context()); !errors.Is(err, store.ErrFailing) {
				t.Errorf("a probe: got error %v, want ErrFailing", err)
			}
			f.mend()
			await(t, "a probe succeeds", func() bool { return s.Probe(t.Context()) == nil })
			want(t, s, []byte("kept"))
		})
	}
}

// wantFailing uses the store in every way, none of which may say that something is not there.
func wantFailing(t *testing.T, s *s3store.Store, d digest.Digest) {
	t.Helper()
	_, opened := s.Open(t.Context(), d)
	_, linked := s.Linked(t.Context(), debian, d)
	_, tagged := s.Tag(t.Context(), debian, "12")
	for what, err := range map[string]error{
		"opening": opened, "a link": linked, "a tag": tagged, "setting a tag": s.SetTag(t.Context(), debian, "12", store.Tag{Digest: d}),
		"putting": s.Put(t.Context(), prove(t, []byte("new")), []byte("new")),
		"walking": s.Walk(t.Context(), func(store.Entry) error { return nil }),
	} {
		if !errors.Is(err, store.ErrFailing) || errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: got error %v, want ErrFailing", what, err)
		}
	}
}

func TestFillGoesOnWithoutTheServerAndIsNotKept(t *testing.T) {
	f := newFront(t)
	p := withFront(t, f)
	s := p.open(t)
	f.do(refuses)
	data := []byte("a layer")
	partial, err := s.Partial(t.Context(), digest.FromBytes(data), -1)
	must(t, err)
	_, err = partial.WriteAt(data, 0)
	must(t, err)
	reader, err := partial.Reader(t.Context())
	must(t, err)
	if err := partial.Commit(t.Context(), prove(t, data)); !errors.Is(err, store.ErrFailing) {
		t.Errorf("commit: got error %v, want ErrFailing", err)
	}
	section, err := reader.Section(t.Context(), 0, int64(len(data)))
	must(t, err)
	if got, err := io.ReadAll(section); err != nil || string(got) != string(data) {
		t.Errorf("who read it before reads %q, %v", got, err)
	}
	must(t, errors.Join(section.Close(), reader.Close()))
	if left, err := os.ReadDir(filepath.Join(p.scratch, "partial")); err != nil || len(left) > 0 {
		t.Errorf("on scratch space are still %v (%v)", left, err)
	}
}

func TestUploadThatFailsLeavesNoObjectAndNoParts(t *testing.T) {
	f := newFront(t)
	p := withFront(t, f)
	s := p.open(t)
	data := large(40 << 20)
	partial, err := s.Partial(t.Context(), digest.FromBytes(data), -1)
	must(t, err)
	_, err = partial.WriteAt(data, 0)
	must(t, err)
	f.do(func(w http.ResponseWriter, r *http.Request, proxy http.Handler) {
		if r.URL.Query().Get("partNumber") == "2" {
			fails(w, r, proxy)
			return
		}
		proxy.ServeHTTP(w, r)
	})
	if err := partial.Commit(t.Context(), prove(t, data)); !errors.Is(err, store.ErrFailing) {
		t.Errorf("commit: got error %v, want ErrFailing", err)
	}
	if _, err := s.Open(t.Context(), digest.FromBytes(data)); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("opening it: got error %v, want ErrNotFound", err)
	}
	if left, err := filepath.Glob(server.File(p.bucket, ".sgwtmp/multipart/*/*")); err != nil || len(left) > 0 {
		t.Errorf("uploads that did not end: %v (%v)", left, err)
	}
}

func TestAnswerThatIsNotWhatWasAskedForIsNeverTakenForIt(t *testing.T) {
	data := large(200 << 10)
	for name, tc := range map[string]fault{
		"a body that ends too early": func(w http.ResponseWriter, r *http.Request, proxy http.Handler) {
			proxy.ServeHTTP(&cutting{ResponseWriter: w, left: 1000}, r)
		},
		"a body that stalls": func(w http.ResponseWriter, r *http.Request, proxy http.Handler) {
			proxy.ServeHTTP(&cutting{ResponseWriter: w, left: 1000, stall: r}, r)
		},
		"another range": func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			w.Header().Set("Content-Range", "bytes 0-9/204800")
			w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(make([]byte, 10))
		},
		"the whole instead of a range": func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
			_, _ = w.Write(data)
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFront(t)
			s := withFront(t, f).open(t)
			commit(t, s, data)
			object, err := s.Open(t.Context(), digest.FromBytes(data))
			must(t, err)
			f.do(tc)
			got, err := readAll(t, object)
			if !errors.Is(err, store.ErrFailing) {
				t.Errorf("reading it: %d bytes, got error %v, want ErrFailing", len(got), err)
			}
			if string(got) != string(data[:len(got)]) {
				t.Error("bytes were read that are not the object's")
			}
			must(t, object.Close())
		})
	}
}

func readAll(t *testing.T, r store.Reader) ([]byte, error) {
	t.Helper()
	section, err := r.Section(t.Context(), 0, 200<<10)
	if err != nil {
		return nil, err
	}
	got, err := io.ReadAll(section)
	must(t, section.Close())
	return got, err
}

// cutting lets so many bytes through, and then cuts the connection, or stalls until the client goes.
type cutting struct {
	http.ResponseWriter
	left  int
	stall *http.Request
}

func (c *cutting) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p[:min(len(p), c.left)])
	if c.left -= n; c.left > 0 || err != nil {
		return n, err
	}
	_ = http.NewResponseController(c.ResponseWriter).Flush()
	if c.stall != nil {
		<-c.stall.Context().Done()
	}
	panic(http.ErrAbortHandler)
}

func TestServerWithoutConditionalWritesElectsAllTheSame(t *testing.T) {
	f := newFront(t)
	s := withFront(t, f).open(t)
	f.do(func(w http.ResponseWriter, r *http.Request, proxy http.Handler) {
		if r.Header.Get("If-None-Match") != "" {
			w.WriteHeader(http.StatusNotImplemented)
			_, _ = io.WriteString(w, "<Error><Code>NotImplemented</Code></Error>")
			return
		}
		proxy.ServeHTTP(w, r)
	})
	if !s.Elected(t.Context()) {
		t.Error("nobody is elected")
	}
}
