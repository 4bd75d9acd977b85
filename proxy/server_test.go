package proxy_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"go.uber.org/goleak"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// origin is a registry that counts the requests for blobs and can hold them up.
type origin struct {
	*httptest.Server
	mu    sync.Mutex
	blobs map[string]int
	hold  chan struct{}
}

func newOrigin(t *testing.T) *origin {
	t.Helper()
	o := &origin{blobs: map[string]int{}, hold: make(chan struct{})}
	close(o.hold)
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	o.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") {
			o.mu.Lock()
			o.blobs[path.Base(r.URL.Path)]++
			hold := o.hold
			o.mu.Unlock()
			w = &heldWriter{ResponseWriter: w, hold: hold, gone: r.Context().Done()}
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(o.Close)
	return o
}

// heldWriter sends the first kilobyte and then waits.
type heldWriter struct {
	http.ResponseWriter
	hold chan struct{}
	gone <-chan struct{}
}

func (w *heldWriter) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p[:min(len(p), 200<<10)])
	if err != nil || n == len(p) {
		return n, err
	}
	w.ResponseWriter.(http.Flusher).Flush()
	select {
	case <-w.hold:
	case <-w.gone:
		return n, context.Canceled
	}
	rest, err := w.ResponseWriter.Write(p[n:])
	return n + rest, err
}

// running is a server that runs.
type running struct {
	*proxy.Server
	stop  func()
	ended chan error
}

func run(tb testing.TB, upstream, dir string) *running {
	tb.Helper()
	return runLimited(tb, upstream, dir, proxy.Limits{})
}

func runLimited(tb testing.TB, upstream, dir string, limits proxy.Limits) *running {
	tb.Helper()
	return runWith(tb, configuration(upstream, dir), limits)
}

func runWith(tb testing.TB, content string, limits proxy.Limits) *running {
	tb.Helper()
	cfg, err := config.DecodeProxyConfiguration([]byte(content))
	must(tb, err)
	server, err := proxy.New(cfg, proxy.Options{Logger: logr.Discard(), Version: "test", Limits: limits})
	must(tb, err)
	return begin(tb, server)
}

func configuration(upstream, dir string) string {
	return fmt.Sprintf(`
apiVersion: config.registryhub.io/v1alpha1
kind: ProxyConfiguration
hub: test
listen: {registry: "127.0.0.1:0", diagnostics: "127.0.0.1:0"}
store: {directory: %s}
mirror:
  hosts:
  - {host: docker.io, upstreams: [{name: origin, url: %q}]}
`, dir, upstream)
}

func begin(tb testing.TB, server *proxy.Server) *running {
	tb.Helper()
	ctx, stop := context.WithCancel(context.Background())
	r := &running{Server: server, stop: stop, ended: make(chan error, 1)}
	over := make(chan struct{})
	go func() {
		defer close(over)
		r.ended <- server.Run(ctx)
	}()
	tb.Cleanup(func() {
		stop()
		<-over
	})
	return r
}

func TestImageIsPulledThroughTheProxyAndThenWithoutTheUpstream(t *testing.T) {
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	o := newOrigin(t)
	index, err := random.Index(300<<10, 3, 2)
	must(t, err)
	pushed, err := name.ParseReference(strings.TrimPrefix(o.URL, "http://") + "/library/app:1")
	must(t, err)
	must(t, remote.WriteIndex(pushed, index, remote.WithTransport(transport)))

	dir := t.TempDir()
	for _, upstreamIs := range []string{"up", "up", "down"} {
		if upstreamIs == "down" {
			o.CloseClientConnections()
			o.Close()
		}
		r := run(t, o.URL, dir)
		ref, err := name.ParseReference(r.RegistryAddr().String() + "/library/app:1")
		must(t, err)
		got, err := remote.Index(ref, remote.WithTransport(transport))
		must(t, err)
		must(t, validate.Index(got))
		transport.CloseIdleConnections()
		r.stop()
		must(t, <-r.ended)
	}
	for digest, n := range o.blobs {
		if n != 1 {
			t.Errorf("%s was fetched %d times, want once", digest, n)
		}
	}
	if len(o.blobs) != 8 {
		t.Errorf("%d blobs were fetched, want 8", len(o.blobs))
	}
}

func TestDiagnosticsAndDrain(t *testing.T) {
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	o := newOrigin(t)
	hold := make(chan struct{})
	o.hold = hold
	img, err := random.Image(1<<20, 1)
	must(t, err)
	pushed, err := name.ParseReference(strings.TrimPrefix(o.URL, "http://") + "/library/app:1")
	must(t, err)
	must(t, remote.Write(pushed, img, remote.WithTransport(client.Transport)))
	layers, err := img.Layers()
	must(t, err)
	digest, err := layers[0].Digest()
	must(t, err)

	r := run(t, o.URL, t.TempDir())
	diagnostics := "http://" + r.DiagnosticsAddr().String()
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		status, _ := get(t, client, diagnostics+path)
		if status != http.StatusOK {
			t.Errorf("%s: got %d, want 200", path, status)
		}
	}
	resp, err := client.Get("http://" + r.RegistryAddr().String() + "/v2/library/app/blobs/" + digest.String())
	must(t, err)
	defer resp.Body.Close()

	r.stop()
	eventually(t, "not ready", func() bool {
		status, _ := get(t, client, diagnostics+"/readyz")
		return status == http.StatusServiceUnavailable
	})
	eventually(t, "nothing new is accepted", func() bool {
		conn, err := net.Dial("tcp", r.RegistryAddr().String())
		if err == nil {
			must(t, conn.Close())
		}
		return err != nil
	})
	_, figures := get(t, client, diagnostics+"/metrics")
	for _, want := range []string{
		"registryhub_proxy_active_fills 1", `registryhub_proxy_build_info{config_hash="`,
		`registryhub_proxy_upstream_requests_total{code="200",kind="blob",upstream="origin"} 1`,
	} {
		if !strings.Contains(figures, want) {
			t.Errorf("the metrics do not hold %q", want)
		}
	}
	close(hold)
	n, err := io.Copy(io.Discard, resp.Body)
	if err != nil || n != resp.ContentLength {
		t.Errorf("the request under way got %d bytes of %d, error %v", n, resp.ContentLength, err)
	}
	must(t, <-r.ended)
}

func TestProxyDoesNotStartWithoutItsAddressOrItsDirectory(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer taken.Close()
	cases := map[string]struct{ listen, dir, want string }{
		"address":   {taken.Addr().String(), t.TempDir(), "listen.registry"},
		"directory": {"127.0.0.1:0", "/dev/null/x", "/dev/null/x"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			cfg := &config.ProxyConfiguration{
				Hub: "x", Store: config.StoreConfiguration{Directory: tc.dir},
				Listen: config.ListenConfiguration{Registry: tc.listen, Diagnostics: "127.0.0.1:0"},
				Mirror: &config.MirrorConfiguration{Hosts: []config.MirrorHost{{
					Host: "docker.io", Upstreams: []config.UpstreamConfiguration{{Name: "x", URL: "http://127.0.0.1:1"}},
				}}},
			}
			cfg.Default()
			if _, err := proxy.New(cfg, proxy.Options{}); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got error %v, want one that names %s", err, tc.want)
			}
		})
	}
}

func get(t *testing.T, client *http.Client, url string) (int, string) {
	t.Helper()
	resp, err := client.Get(url)
	must(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp.StatusCode, string(body)
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline, again := time.After(10*time.Second), time.NewTicker(time.Millisecond)
	defer again.Stop()
	for !ok() {
		select {
		case <-again.C:
		case <-deadline:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
