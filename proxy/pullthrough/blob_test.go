package pullthrough_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"
)

func TestTwentyClientsOneTransfer(t *testing.T) {
	o := newOrigin(t)
	img := o.pushImage(t, "team/app", "1", 3<<20)
	r := start(t, setup{upstreams: []string{o.URL}})
	go_ := make(chan struct{})
	o.fail(func(w http.ResponseWriter, req *http.Request, next http.Handler) {
		<-go_
		next.ServeHTTP(w, req)
	})
	var group errgroup.Group
	for range 20 {
		group.Go(func() error {
			resp, err := r.open(t.Context(), http.MethodGet, "team/app/blobs/"+img.layer.String())
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil || !bytes.Equal(body, img.content) {
				return fmt.Errorf("got %d bytes, error %w", len(body), err)
			}
			return nil
		})
	}
	close(go_)
	must(t, group.Wait())
	wantAsked(t, o, "GET team/app/blobs/"+img.layer.String())
}

// gate lets the first n bytes of each GET of a blob through, and the rest when it is opened.
type gate struct {
	n    int
	once sync.Once
	open chan struct{}
}

func newGate(n int) *gate { return &gate{n: n, open: make(chan struct{})} }

func (g *gate) release() { g.once.Do(func() { close(g.open) }) }

func (g *gate) fault(w http.ResponseWriter, r *http.Request, next http.Handler) {
	next.ServeHTTP(&gatedWriter{ResponseWriter: w, gate: g, left: g.n, gone: r.Context().Done()}, r)
}

type gatedWriter struct {
	http.ResponseWriter
	gate *gate
	left int
	gone <-chan struct{}
}

func (w *gatedWriter) Write(p []byte) (int, error) {
	now := min(w.left, len(p))
	n, err := w.ResponseWriter.Write(p[:now])
	w.left -= n
	if err != nil || n == len(p) {
		return n, err
	}
	w.ResponseWriter.(http.Flusher).Flush()
	select {
	case <-w.gate.open:
	case <-w.gone:
		return n, context.Canceled
	}
	rest, err := w.ResponseWriter.Write(p[n:])
	return n + rest, err
}

func TestFirstByteLeavesWhileTheTransferRuns(t *testing.T) {
	o := newOrigin(t)
	img := o.pushImage(t, "team/app", "1", 1<<20)
	r := start(t, setup{upstreams: []string{o.URL}})
	g := newGate(300 << 10)
	t.Cleanup(g.release)
	o.fail(g.fault)
	resp, err := r.open(t.Context(), http.MethodGet, "team/app/blobs/"+img.layer.String())
	must(t, err)
	defer resp.Body.Close()
	if resp.ContentLength != 1<<20 {
		t.Errorf("Content-Length: got %d, want %d", resp.ContentLength, 1<<20)
	}
	begin := make([]byte, 300<<10)
	_, err = io.ReadFull(resp.Body, begin)
	must(t, err)
	g.release()
	rest, err := io.ReadAll(resp.Body)
	must(t, err)
	if !bytes.Equal(append(begin, rest...), img.content) {
		t.Error("the bytes are not those of the blob")
	}
}

func TestClientLeavesAndTheTransferGoesOn(t *testing.T) {
	o := newOrigin(t)
	img := o.pushImage(t, "team/app", "1", 1<<20)
	r := start(t, setup{upstreams: []string{o.URL}})
	g := newGate(300 << 10)
	t.Cleanup(g.release)
	o.fail(g.fault)
	ctx, leave := context.WithCancel(t.Context())
	resp, err := r.open(ctx, http.MethodGet, "team/app/blobs/"+img.layer.String())
	must(t, err)
	_, err = io.ReadFull(resp.Body, make([]byte, 1000))
	must(t, err)
	leave()
	must(t, resp.Body.Close())
	g.release()
	r.settle(t, img.layer)
	o.asked()
	r.get(t, "team/app/blobs/"+img.layer.String()).want(t, 200, img.content)
	wantAsked(t, o)
}

func TestRangesOfAColdBlobComeFromItsOneTransfer(t *testing.T) {
	o := newOrigin(t)
	img := o.pushImage(t, "team/app", "1", 1<<20)
	r := start(t, setup{upstreams: []string{o.URL}})
	g := newGate(100 << 10)
	t.Cleanup(g.release)
	o.fail(g.fault)
	path := "team/app/blobs/" + img.layer.String()
	first := r.get(t, path, "Range", "bytes=0-99")
	first.want(t, 206, img.content[:100])
	if got, want := first.Header.Get("Content-Range"), "bytes 0-99/1048576"; got != want {
		t.Errorf("Content-Range: got %q, want %q", got, want)
	}
	var group errgroup.Group
	for _, from := range []int{200 << 10, 500 << 10, 1<<20 - 1} {
		group.Go(func() error {
			resp, err := r.open(t.Context(), http.MethodGet, path, "Range", fmt.Sprintf("bytes=%d-", from))
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if resp.StatusCode != http.StatusPartialContent || !bytes.Equal(body, img.content[from:]) {
				return fmt.Errorf("from %d: %d, %d bytes, error %w", from, resp.StatusCode, len(body), err)
			}
			return nil
		})
	}
	g.release()
	must(t, group.Wait())
	wantAsked(t, o, "GET "+path)
}

func TestHeadOfAColdBlobIsOneHeadAndNoTransfer(t *testing.T) {
	o := newOrigin(t)
	img := o.pushImage(t, "team/app", "1", 100<<10)
	r := start(t, setup{upstreams: []string{o.URL}})
	path := "team/app/blobs/" + img.layer.String()
	cold := r.do(t, http.MethodHead, path)
	cold.want(t, 200, nil)
	wantAsked(t, o, "HEAD "+path)
	get := r.get(t, path)
	get.want(t, 200, img.content)
	r.settle(t, img.layer)
	hit := r.do(t, http.MethodHead, path)
	for name, other := range map[string]reply{"a cold HEAD": cold, "a GET": get} {
		if diff := cmp.Diff(headers(other), headers(hit)); diff != "" {
			t.Errorf("headers of %s and of a HEAD on a hit (-%s +hit):\n%s", name, name, diff)
		}
	}
}

func headers(r reply) http.Header {
	h := r.Header.Clone()
	h.Del("Date")
	return h
}

func TestHitsAreWholeOrRangesAndNever304(t *testing.T) {
	o := newOrigin(t)
	img := o.pushImage(t, "team/app", "1", 200<<10)
	r := start(t, setup{upstreams: []string{o.URL}})
	path := "team/app/blobs/" + img.layer.String()
	r.get(t, path).want(t, 200, img.content)
	r.settle(t, img.layer)
	o.asked()
	size := len(img.content)
	cases := map[string]struct {
		headers []string
		status  int
		body    []byte
	}{
		"whole":                      {nil, 200, img.content},
		"a conditional request":      {[]string{"If-None-Match", `"` + img.layer.String() + `"`, "If-Modified-Since", "Mon, 01 Jan 2046 00:00:00 GMT"}, 200, img.content},
		"a range":                    {[]string{"Range", "bytes=1000-1999"}, 206, img.content[1000:2000]},
		"an open range":              {[]string{"Range", "bytes=204000-"}, 206, img.content[204000:]},
		"a suffix":                   {[]string{"Range", "bytes=-10"}, 206, img.content[size-10:]},
		"a range beyond the end":     {[]string{"Range", "bytes=1000-99999999"}, 206, img.content[1000:]},
		"a range that begins at it":  {[]string{"Range", fmt.Sprintf("bytes=%d-", size)}, 416, nil},
		"a range that means nothing": {[]string{"Range", "lines=1-2"}, 200, img.content},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := r.get(t, path, tc.headers...)
			got.want(t, tc.status, tc.body)
			if length := got.Header.Get("Content-Length"); length != strconv.Itoa(len(got.body)) {
				t.Errorf("Content-Length: got %s, want %d", length, len(got.body))
			}
			if tc.status != 416 && got.Header.Get("Docker-Content-Digest") != img.layer.String() {
				t.Errorf("Docker-Content-Digest: got %q", got.Header.Get("Docker-Content-Digest"))
			}
		})
	}
	wantAsked(t, o)
}

func TestUpstreamCutMidBlobIsResumedByRangeAndNobodySees(t *testing.T) {
	o := newOrigin(t)
	img := o.pushImage(t, "team/app", "1", 1<<20)
	r := start(t, setup{upstreams: []string{o.URL}})
	var mu sync.Mutex
	var ranges []string
	o.fail(func(w http.ResponseWriter, req *http.Request, next http.Handler) {
		mu.Lock()
		ranges = append(ranges, req.Header.Get("Range"))
		cut := len(ranges) <= 3
		mu.Unlock()
		if cut {
			w = &cuttingWriter{ResponseWriter: w, left: 200 << 10}
		}
		next.ServeHTTP(w, req)
	})
	r.get(t, "team/app/blobs/"+img.layer.String()).want(t, 200, img.content)
	mu.Lock()
	defer mu.Unlock()
	if len(ranges) != 4 || ranges[0] != "" || slices.Contains(ranges[1:], "") || !strings.HasPrefix(ranges[3], "bytes=") {
		t.Errorf("ranges asked of the upstream: got %q, want the whole, then three that go on", ranges)
	}
}

// cuttingWriter breaks the connection after some bytes.
type cuttingWriter struct {
	http.ResponseWriter
	left int
}

func (w *cuttingWriter) Write(p []byte) (int, error) {
	if len(p) <= w.left {
		w.left -= len(p)
		return w.ResponseWriter.Write(p)
	}
	_, _ = w.ResponseWriter.Write(p[:w.left])
	w.ResponseWriter.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

func TestCutTransferGoesOnAtTheNextUpstream(t *testing.T) {
	first, second := newOrigin(t), newOrigin(t)
	img := first.pushImage(t, "team/app", "1", 1<<20)
	second.pushBlob(t, "team/app", img.content)
	r := start(t, setup{upstreams: []string{first.URL, second.URL}})
	var once sync.Once
	first.fail(func(w http.ResponseWriter, req *http.Request, next http.Handler) {
		cut := false
		once.Do(func() { cut = true })
		if !cut {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		next.ServeHTTP(&cuttingWriter{ResponseWriter: w, left: 200 << 10}, req)
	})
	r.get(t, "team/app/blobs/"+img.layer.String()).want(t, 200, img.content)
	wantAsked(t, second, "GET team/app/blobs/"+img.layer.String())
}

func TestUpstreamThatIsInTroubleIsPassedOver(t *testing.T) {
	for _, code := range []int{429, 500, 502, 503, 504} {
		first, second := newOrigin(t), newOrigin(t)
		img := second.pushImage(t, "team/app", "1", 100)
		first.fail(status(code))
		r := start(t, setup{upstreams: []string{first.URL, second.URL}})
		r.get(t, "team/app/manifests/1").want(t, 200, img.body)
		r.get(t, "team/app/blobs/"+img.layer.String()).want(t, 200, img.content)
	}
}

func TestErrorsOfAColdBlob(t *testing.T) {
	for upstreamStatus, want := range map[int]int{401: 403, 403: 403, 404: 404, 429: 503, 500: 503, 503: 503} {
		o := newOrigin(t)
		img := o.pushImage(t, "team/app", "1", 1000)
		o.fail(status(upstreamStatus))
		r := start(t, setup{upstreams: []string{o.URL}})
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			got := r.do(t, method, "team/app/blobs/"+img.layer.String())
			got.want(t, want, nil)
			if (got.Header.Get("Retry-After") != "") != (want == 503) {
				t.Errorf("upstream %d: Retry-After is %q", upstreamStatus, got.Header.Get("Retry-After"))
			}
		}
		o.heal()
		r.clock.advance(10 * time.Second)
		r.get(t, "team/app/blobs/"+img.layer.String()).want(t, 200, img.content)
	}
}

func TestBlobOfAnotherRepositoryIsNotLeakedByItsDigest(t *testing.T) {
	o := newOrigin(t)
	img := o.pushImage(t, "secret/app", "1", 100<<10)
	r := start(t, setup{upstreams: []string{o.URL}})
	r.get(t, "secret/app/manifests/1").want(t, 200, img.body)
	r.get(t, "secret/app/blobs/"+img.layer.String()).want(t, 200, img.content)
	r.settle(t, img.layer)
	other := "other/app/blobs/" + img.layer.String()
	o.fail(func(w http.ResponseWriter, req *http.Request, next http.Handler) {
		if strings.HasPrefix(req.URL.Path, "/v2/other/") {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		next.ServeHTTP(w, req)
	})
	o.asked()
	r.get(t, other).want(t, 404, nil)
	wantAsked(t, o, "HEAD "+other)
	r.get(t, "other/app/manifests/"+img.manifest.String()).want(t, 404, nil)
	o.heal()
	o.asked()
	r.clock.advance(10 * time.Second)
	r.get(t, other).want(t, 200, img.content) // pkg/registry has blobs without repositories
	r.get(t, other).want(t, 200, img.content)
	wantAsked(t, o, "HEAD "+other)
}

func TestSecondRepositoryIsAskedForWhileTheTransferOfTheFirstRuns(t *testing.T) {
	o := newOrigin(t)
	img := o.pushImage(t, "secret/app", "1", 1<<20)
	r := start(t, setup{upstreams: []string{o.URL}})
	g := newGate(300 << 10)
	t.Cleanup(g.release)
	o.fail(func(w http.ResponseWriter, req *http.Request, next http.Handler) {
		if strings.HasPrefix(req.URL.Path, "/v2/other/") {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		g.fault(w, req, next)
	})
	resp, err := r.open(t.Context(), http.MethodGet, "secret/app/blobs/"+img.layer.String())
	must(t, err)
	defer resp.Body.Close()
	r.get(t, "other/app/blobs/"+img.layer.String()).want(t, 404, nil)
	g.release()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	if !bytes.Equal(body, img.content) {
		t.Error("the bytes are not those of the blob")
	}
}

func TestBlobOfACachedManifestNeedsNoUpstream(t *testing.T) {
	o := newOrigin(t)
	img := o.pushImage(t, "team/app", "1", 100<<10)
	o.pushManifest(t, "team/copy", "1", typeManifest, img.body)
	r := start(t, setup{upstreams: []string{o.URL}})
	r.get(t, "team/app/manifests/1").want(t, 200, img.body)
	r.get(t, "team/app/blobs/"+img.layer.String()).want(t, 200, img.content)
	r.settle(t, img.layer)
	r.get(t, "team/copy/manifests/1").want(t, 200, img.body)
	o.asked()
	o.fail(status(500))
	r.get(t, "team/copy/blobs/"+img.layer.String()).want(t, 200, img.content)
	wantAsked(t, o)
}

func TestEmptyAndSmallBlobs(t *testing.T) {
	o := newOrigin(t)
	r := start(t, setup{upstreams: []string{o.URL}})
	for _, size := range []int{0, 1, 64<<10 - 1, 64 << 10, 64<<10 + 1, 128 << 10} {
		content := random(size)
		d := o.pushBlob(t, "team/app", content)
		r.get(t, "team/app/blobs/"+d.String()).want(t, 200, content)
		r.settle(t, d)
		r.get(t, "team/app/blobs/"+d.String()).want(t, 200, content)
	}
}

func TestPassingTroubleOfTheOnlyUpstreamIsNotSeen(t *testing.T) {
	for name, trouble := range map[string]fault{
		"408": status(408), "500": status(500), "502": status(502), "503": status(503), "504": status(504),
		"a connection that breaks": func(http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			o := newOrigin(t)
			img := o.pushImage(t, "team/app", "1", 1000)
			once := func() {
				var first sync.Once
				o.fail(func(w http.ResponseWriter, req *http.Request, next http.Handler) {
					as := next.ServeHTTP
					first.Do(func() { as = func(w http.ResponseWriter, req *http.Request) { trouble(w, req, next) } })
					as(w, req)
				})
			}
			r := start(t, setup{upstreams: []string{o.URL}})
			once()
			r.do(t, http.MethodHead, "team/app/blobs/"+img.layer.String()).want(t, 200, nil)
			once()
			r.get(t, "team/app/blobs/"+img.layer.String()).want(t, 200, img.content)
			once()
			r.get(t, "team/app/manifests/1").want(t, 200, img.body)
		})
	}
}
