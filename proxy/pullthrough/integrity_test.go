package pullthrough_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/store"
)

// flipped answers a blob with one wrong byte, at an offset from its end.
func flipped(fromEnd int) fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		whole := httptest.NewRecorder()
		next.ServeHTTP(whole, r)
		body := whole.Body.Bytes()
		if strings.Contains(r.URL.Path, "/blobs/") && len(body) > 0 {
			body[len(body)-1-fromEnd] ^= 1
		}
		for name, values := range whole.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(whole.Code)
		_, _ = w.Write(body)
	}
}

// wrongly answers a blob with one wrong byte, of which the first 300 KiB come before the gate is opened.
func wrongly(g *gate, fromEnd int) fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		g.fault(w, r, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { flipped(fromEnd)(w, r, next) }))
	}
}

// beginWrongly gets a blob of which one byte turns out wrong after the client has the first ones.
func (r *rig) beginWrongly(t *testing.T, o *origin, path string, fromEnd int) reply {
	t.Helper()
	g := newGate(300 << 10)
	defer g.release()
	o.fail(wrongly(g, fromEnd))
	resp, err := r.open(t.Context(), http.MethodGet, path)
	must(t, err)
	g.release()
	body, err := io.ReadAll(resp.Body)
	must(t, resp.Body.Close())
	return reply{Response: resp, body: body, err: err}
}

func TestWrongDigestIsNeverKeptAndNoClientCompletesIt(t *testing.T) {
	const size = 1 << 20
	for _, fromEnd := range []int{0, 100, 70 << 10, size - 1} {
		o := newOrigin(t)
		img := o.pushImage(t, "team/app", "1", size)
		r := start(t, setup{upstreams: []string{o.URL}})
		path := "team/app/blobs/" + img.layer.String()
		cut := r.beginWrongly(t, o, path, fromEnd)
		if cut.StatusCode != http.StatusOK || !errors.Is(cut.err, io.ErrUnexpectedEOF) || len(cut.body) > size-64<<10 {
			t.Fatalf("got %d, %d bytes, error %v, want a body that is cut before its last 64 KiB", cut.StatusCode, len(cut.body), cut.err)
		}
		if _, err := openStore(t, r.dir).Open(t.Context(), img.layer); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the wrong bytes are in the store: %v", err)
		}
		if leftovers, err := os.ReadDir(r.dir + "/partial"); err != nil || len(leftovers) > 0 {
			t.Errorf("the wrong bytes are in the store: %v %v", leftovers, err)
		}
		if len(r.events.with("transfer thrown away")) == 0 {
			t.Error("nothing was said of it")
		}
		o.heal()
		o.asked()
		r.get(t, path, "Range", fmt.Sprintf("bytes=%d-", len(cut.body))).want(t, 503, nil)
		wantAsked(t, o)
		r.get(t, path).want(t, 200, img.content)
		r.get(t, path, "Range", "bytes=1000-").want(t, 206, img.content[1000:])
	}
}

func TestSmallBlobWithTheWrongDigestIs503(t *testing.T) {
	o := newOrigin(t)
	img := o.pushImage(t, "team/app", "1", 1000)
	r := start(t, setup{upstreams: []string{o.URL}})
	o.fail(flipped(0))
	r.get(t, "team/app/blobs/"+img.layer.String()).want(t, 503, nil)
	o.heal()
	r.get(t, "team/app/blobs/"+img.layer.String()).want(t, 200, img.content)
}

func TestAfterAMismatchTheNextUpstreamIsAskedFirst(t *testing.T) {
	bad, good := newOrigin(t), newOrigin(t)
	img := bad.pushImage(t, "team/app", "1", 1<<20)
	good.pushBlob(t, "team/app", img.content)
	r := start(t, setup{upstreams: []string{bad.URL, good.URL}})
	path := "team/app/blobs/" + img.layer.String()
	wantIncomplete(t, r.beginWrongly(t, bad, path, 0))
	bad.asked()
	r.get(t, path).want(t, 200, img.content)
	wantAsked(t, bad)
}

// TestBrokenTransferEndsWithACleanClose looks at the socket: after the bytes that there are comes a FIN. A reset would
// fail a pull that could go on elsewhere, and a body with anything else in it would be a wrong blob.
func TestBrokenTransferEndsWithACleanClose(t *testing.T) {
	o := newOrigin(t)
	img := o.pushImage(t, "team/app", "1", 1<<20)
	r := start(t, setup{upstreams: []string{o.URL}})
	for range 20 {
		g := newGate(300 << 10)
		t.Cleanup(g.release)
		o.fail(wrongly(g, 0))
		conn, err := net.Dial("tcp", r.Listener.Addr().String())
		must(t, err)
		_, err = fmt.Fprintf(conn, "GET /v2/team/app/blobs/%s HTTP/1.1\r\nHost: hub\r\n\r\n", img.layer)
		must(t, err)
		in := bufio.NewReader(conn)
		resp, err := http.ReadResponse(in, nil)
		must(t, err)
		g.release()
		var body bytes.Buffer
		_, err = body.ReadFrom(resp.Body)
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("reading the body: got error %v, want the clean end of a body that is too short", err)
		}
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Fatalf("after the body: got error %v, want a FIN", err)
		}
		if resp.ContentLength != 1<<20 || !bytes.HasPrefix(img.content, body.Bytes()) {
			t.Fatalf("got %d bytes of %d that are not those of the blob's beginning", body.Len(), resp.ContentLength)
		}
		must(t, conn.Close())
	}
}

func TestUpstreamThatStaysAwayMidBlobEndsWithACleanCloseAndIsTakenUpLater(t *testing.T) {
	o := newOrigin(t)
	img := o.pushImage(t, "team/app", "1", 1<<20)
	r := start(t, setup{upstreams: []string{o.URL}})
	var once sync.Once
	o.fail(func(w http.ResponseWriter, req *http.Request, next http.Handler) {
		first := false
		once.Do(func() { first = true })
		if !first {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		next.ServeHTTP(&cuttingWriter{ResponseWriter: w, left: 500 << 10}, req)
	})
	path := "team/app/blobs/" + img.layer.String()
	cut := r.get(t, path)
	if cut.StatusCode != http.StatusOK || !errors.Is(cut.err, io.ErrUnexpectedEOF) || !bytes.Equal(cut.body, img.content[:500<<10]) {
		t.Fatalf("got %d, %d bytes, error %v, want the first 500 KiB", cut.StatusCode, len(cut.body), cut.err)
	}
	asked := make(chan string, 10)
	o.fail(func(w http.ResponseWriter, req *http.Request, next http.Handler) {
		if strings.Contains(req.URL.Path, "/blobs/") { // and not whether the upstream is well again
			asked <- req.Header.Get("Range")
		}
		next.ServeHTTP(w, req)
	})
	r.get(t, path).want(t, 200, img.content)
	if got, want := <-asked, "bytes=512000-"; got != want {
		t.Errorf("the second transfer asked for %q, want %q", got, want)
	}
}

func TestRestartWhileTheUpstreamIsDownServesWhatIsCached(t *testing.T) {
	o := newOrigin(t)
	img := o.pushImage(t, "team/app", "1", 200<<10)
	before := start(t, setup{upstreams: []string{o.URL}})
	before.get(t, "team/app/manifests/1").want(t, 200, img.body)
	before.get(t, "team/app/blobs/"+img.layer.String()).want(t, 200, img.content)
	before.settle(t, img.layer)
	before.close()
	o.CloseClientConnections()
	o.Close()

	r := start(t, setup{dir: before.dir, upstreams: []string{o.URL}, clock: before.clock})
	r.clock.advance(10 * 60 * 1e9)
	r.get(t, "team/app/manifests/1").want(t, 200, img.body)
	r.get(t, "team/app/manifests/"+img.manifest.String()).want(t, 200, img.body)
	r.get(t, "team/app/blobs/"+img.layer.String()).want(t, 200, img.content)
}

func TestFillThatAKilledProcessLeftIsHashedAgainAndTakenUp(t *testing.T) {
	content := random(1 << 20)
	cases := map[string]struct {
		left  []byte
		want  string // the Range that the upstream is asked for
		wrong bool
	}{
		"a part":                         {left: content[:600<<10], want: "bytes=614400-"},
		"all of it, not committed":       {left: content, want: "none"},
		"a part that rotted on the disk": {left: append([]byte{^content[0]}, content[1:600<<10]...), want: "bytes=614400-", wrong: true},
		"more than there is":             {left: append(bytes.Clone(content), 1, 2, 3), want: ""},
		"as much, but something else":    {left: random(len(content)), want: ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o := newOrigin(t)
			d := o.pushBlob(t, "team/app", content)
			body := document(t, map[string]any{"schemaVersion": 2, "layers": []any{descriptorOf(typeLayer, d, len(content))}})
			o.pushManifest(t, "team/app", "1", typeManifest, body)
			dir := t.TempDir()
			abandon(t, dir, d, tc.left)
			r := start(t, setup{dir: dir, upstreams: []string{o.URL}})
			r.get(t, "team/app/manifests/1").want(t, 200, body)
			asked := "none"
			o.fail(func(w http.ResponseWriter, req *http.Request, next http.Handler) {
				asked = req.Header.Get("Range")
				next.ServeHTTP(w, req)
			})
			got := r.get(t, "team/app/blobs/"+d.String())
			if tc.wrong {
				if got.err == nil && !bytes.Equal(got.body, content) {
					t.Error("the wrong bytes were completed")
				}
				asked = tc.want
				r.get(t, "team/app/blobs/"+d.String()).want(t, 200, content)
				return
			}
			got.want(t, 200, content)
			if asked != tc.want {
				t.Errorf("Range of the request to the upstream: got %q, want %q", asked, tc.want)
			}
		})
	}
}

// abandon leaves a fill as a process does that is killed.
func abandon(t *testing.T, dir string, d digest.Digest, data []byte) {
	t.Helper()
	p, err := openStore(t, dir).Partial(t.Context(), d, -1)
	must(t, err)
	_, err = p.WriteAt(data, 0)
	must(t, err)
	must(t, p.Close())
}

func TestWholeFillThatWasLeftIsNotLeakedToAnotherRepository(t *testing.T) {
	o := newOrigin(t)
	content := random(100 << 10)
	d := digest.FromBytes(content)
	dir := t.TempDir()
	abandon(t, dir, d, content)
	r := start(t, setup{dir: dir, upstreams: []string{o.URL}})
	r.get(t, "other/app/blobs/"+d.String()).want(t, 404, nil)
	r.get(t, "other/app/blobs/"+d.String()).want(t, 404, nil)
}

func TestTruncatedFileIsNoticedAndFetchedAgain(t *testing.T) {
	o := newOrigin(t)
	img := o.pushImage(t, "team/app", "1", 200<<10)
	dir := t.TempDir()
	path := "team/app/blobs/" + img.layer.String()
	r := start(t, setup{dir: dir, upstreams: []string{o.URL}})
	r.get(t, path).want(t, 200, img.content)
	r.close() // whoever truncated it in the midst of its commit would truncate what the fill itself reads
	must(t, os.Truncate(blobFile(dir, img.layer), 100<<10))
	r = start(t, setup{dir: dir, upstreams: []string{o.URL}})
	o.asked()
	r.get(t, path).want(t, 200, img.content)
	wantAsked(t, o, "GET "+path)
	r.settle(t, img.layer)
	must(t, os.Remove(blobFile(r.dir, img.layer)))
	r.get(t, path).want(t, 200, img.content)
}

func TestPathsAndMethods(t *testing.T) {
	o := newOrigin(t)
	img := o.pushImage(t, "team/app", "1", 100)
	r := start(t, setup{upstreams: []string{o.URL}})
	cases := map[string]struct {
		method, path string
		status       int
	}{
		"the base":                  {"GET", "", 200},
		"a host that is meant":      {"GET", "team/app/manifests/1?ns=registry.test", 200},
		"in capitals":               {"GET", "team/app/manifests/1?ns=REGISTRY.test", 200},
		"a host that is not":        {"GET", "team/app/manifests/1?ns=evil.example", 404},
		"an address":                {"GET", "team/app/manifests/1?ns=169.254.169.254", 404},
		"no host":                   {"GET", "team/app/manifests/1?ns=http://x/", 400},
		"a push":                    {"POST", "team/app/blobs/uploads/", 405},
		"a manifest pushed":         {"PUT", "team/app/manifests/1", 405},
		"a deletion":                {"DELETE", "team/app/manifests/1", 405},
		"referrers":                 {"GET", "team/app/referrers/" + img.manifest.String(), 200},
		"a malformed digest":        {"GET", "team/app/blobs/sha256:xyz", 400},
		"a climb":                   {"GET", "../../etc/manifests/1", 400},
		"an encoded climb":          {"GET", "%2e%2e/%2e%2e/etc/manifests/1", 400},
		"a manifest asked as blob":  {"GET", "team/app/blobs/sha256:" + strings.Repeat("0", 64), 404},
		"a page of the tags":        {"GET", "team/app/tags/list?n=1", 200},
		"a page of no size":         {"GET", "team/app/tags/list?n=many", 400},
		"referrers of a tag":        {"GET", "team/app/referrers/1", 400},
		"tags of no such thing":     {"GET", "no/such/tags/list", 404},
		"a path that is no request": {"GET", "team/app/nothing", 404},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			request := httptest.NewRequest(tc.method, "/v2/", nil)
			request.URL.Path, request.URL.RawPath, request.URL.RawQuery = "/v2/"+tc.path, "", ""
			if path, query, found := strings.Cut(tc.path, "?"); found {
				request.URL.Path, request.URL.RawQuery = "/v2/"+path, query
			}
			if strings.Contains(tc.path, "%") {
				request.URL.RawPath, request.URL.Path = "/v2/"+tc.path, "/v2/../../etc/manifests/1"
			}
			w := httptest.NewRecorder()
			r.mirror.ServeHTTP(w, request)
			if w.Code != tc.status {
				t.Errorf("got %d %s, want %d", w.Code, w.Body, tc.status)
			}
		})
	}
	if dirs, err := os.ReadDir(r.dir + "/repositories"); err != nil || len(dirs) != 1 {
		t.Errorf("hosts in the store: got %v (%v), want one", dirs, err)
	}
}

func TestSmallBlobThatIsWrongAtOneUpstreamComesFromTheNextAndNobodySees(t *testing.T) {
	for name, wrong := range map[string]fault{
		"a flipped bit":   flipped(0),
		"another length":  answers("<html>sign in</html>"),
		"a longer answer": answers(strings.Repeat("<p>sign in</p>", 1000)),
	} {
		t.Run(name, func(t *testing.T) {
			bad, good := newOrigin(t), newOrigin(t)
			img := good.pushImage(t, "team/app", "1", 1000)
			bad.pushBlob(t, "team/app", img.content)
			bad.fail(wrong)
			r := start(t, setup{upstreams: []string{bad.URL, bad.URL, good.URL}})
			r.get(t, "team/app/blobs/"+img.layer.String()).want(t, 200, img.content)
			if got := len(r.events.with("transfer thrown away")); got != 2 {
				t.Errorf("it was said %d times, want 2", got)
			}
		})
	}
}

func TestSmallBlobThatIsWrongOnceIsAskedForAgain(t *testing.T) {
	o := newOrigin(t)
	img := o.pushImage(t, "team/app", "1", 1000)
	var once sync.Once
	o.fail(func(w http.ResponseWriter, req *http.Request, next http.Handler) {
		as := next.ServeHTTP
		once.Do(func() { as = func(w http.ResponseWriter, req *http.Request) { flipped(0)(w, req, next) } })
		as(w, req)
	})
	r := start(t, setup{upstreams: []string{o.URL}})
	r.get(t, "team/app/blobs/"+img.layer.String()).want(t, 200, img.content)
}

func TestBlobOfAnotherSizeThanItsManifestSaysIsNotTaken(t *testing.T) {
	bad, good := newOrigin(t), newOrigin(t)
	img := good.pushImage(t, "team/app", "1", 1<<20)
	bad.push(t, http.MethodPut, "/v2/team/app/manifests/1", typeManifest, img.body)
	r := start(t, setup{upstreams: []string{bad.URL, good.URL}})
	r.get(t, "team/app/manifests/1").want(t, 200, img.body)
	bad.fail(answers(strings.Repeat("<p>sign in</p>", 50_000)))
	r.get(t, "team/app/blobs/"+img.layer.String()).want(t, 200, img.content)
}

// answers is 200 with that body, whatever is asked.
func answers(body string) fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = io.WriteString(w, body)
	}
}

func TestUpstreamWhoseAnswerCannotBeUsedIsPassedOver(t *testing.T) {
	for name, unusable := range map[string]fault{
		"no length": func(w http.ResponseWriter, req *http.Request, next http.Handler) {
			w.(http.Flusher).Flush()
			next.ServeHTTP(w, req)
		},
		"the first half, and then not found": func() fault {
			var once sync.Once
			return func(w http.ResponseWriter, req *http.Request, next http.Handler) {
				w404 := true
				once.Do(func() { w404 = false })
				if w404 {
					w.WriteHeader(http.StatusNotFound)
					return
				}
				next.ServeHTTP(&cuttingWriter{ResponseWriter: w, left: 500 << 10}, req)
			}
		}(),
	} {
		t.Run(name, func(t *testing.T) {
			bad, good := newOrigin(t), newOrigin(t)
			img := bad.pushImage(t, "team/app", "1", 1<<20)
			good.pushBlob(t, "team/app", img.content)
			bad.fail(unusable)
			r := start(t, setup{upstreams: []string{bad.URL, good.URL}})
			r.get(t, "team/app/blobs/"+img.layer.String()).want(t, 200, img.content)
		})
	}
}
