package proxy_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy"
)

// followed is a server that runs with a file.
type followed struct {
	*running
	file   string
	client *http.Client
	log    *lines
}

// lines is what was logged.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) logger() logr.Logger {
	return funcr.NewJSON(func(line string) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.all = append(l.all, line)
	}, funcr.Options{})
}

func (l *lines) count(message string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.all {
		if strings.Contains(line, message) {
			n++
		}
	}
	return n
}

func runFile(t *testing.T, content string) *followed {
	t.Helper()
	f := &followed{
		file: filepath.Join(t.TempDir(), "config.yaml"), client: &http.Client{Transport: &http.Transport{}}, log: &lines{},
	}
	t.Cleanup(f.client.CloseIdleConnections)
	f.write(t, content)
	server, err := proxy.NewFromFile(f.file, proxy.Options{Logger: f.log.logger(), Version: "test"})
	must(t, err)
	f.running = begin(t, server)
	t.Cleanup(func() {
		f.stop()
		f.client.CloseIdleConnections()
		must(t, <-f.ended)
	})
	return f
}

func (f *followed) write(t *testing.T, content string) {
	t.Helper()
	must(t, os.WriteFile(f.file+".new", []byte(content), 0o600))
	must(t, os.Rename(f.file+".new", f.file))
}

func (f *followed) report(t *testing.T) (r config.ProxyReport) {
	t.Helper()
	_, body := get(t, f.client, "http://"+f.DiagnosticsAddr().String()+"/configz")
	must(t, json.Unmarshal([]byte(body), &r))
	return r
}

func (f *followed) await(t *testing.T, what string, ok func(config.ProxyReport) bool) {
	t.Helper()
	eventually(t, what, func() bool { return ok(f.report(t)) })
}

func inForce(content string) func(config.ProxyReport) bool {
	return func(r config.ProxyReport) bool { return r.InForce == config.Hash([]byte(content)) && r.Refused == nil }
}

func (f *followed) figure(t *testing.T, want string) {
	t.Helper()
	if _, figures := get(t, f.client, "http://"+f.DiagnosticsAddr().String()+"/metrics"); !strings.Contains(figures, want+"\n") {
		t.Errorf("the metrics do not hold %q", want)
	}
}

func (f *followed) url(path string) string {
	return "http://" + f.RegistryAddr().String() + "/v2/" + path
}

// push puts an image into a registry, and returns its layer.
func (o *origin) push(t *testing.T, tag string, img v1.Image) v1.Hash {
	t.Helper()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	ref, err := name.ParseReference(strings.TrimPrefix(o.URL, "http://") + "/library/app:" + tag)
	must(t, err)
	must(t, remote.Write(ref, img, remote.WithTransport(transport)))
	layers, err := img.Layers()
	must(t, err)
	digest, err := layers[0].Digest()
	must(t, err)
	return digest
}

func TestAChangedFileIsTakenIntoForceWithoutDroppingARequest(t *testing.T) {
	before, after := newOrigin(t), newOrigin(t)
	hold := make(chan struct{})
	before.hold = hold
	img, err := random.Image(1<<20, 1)
	must(t, err)
	layer := before.push(t, "1", img)
	after.push(t, "1", img)
	after.push(t, "only-here", img)

	dir := t.TempDir()
	f := runFile(t, configuration(before.URL, dir))
	f.await(t, "the first is in force", inForce(configuration(before.URL, dir)))
	underWay, err := f.client.Get(f.url("library/app/blobs/" + layer.String()))
	must(t, err)
	defer underWay.Body.Close()

	next := configuration(after.URL, dir)
	f.write(t, next)
	f.await(t, "the next is in force", inForce(next))
	if status, body := get(t, f.client, f.url("library/app/manifests/only-here")); status != http.StatusOK {
		t.Errorf("of the new upstream: got %d %s", status, body)
	}
	joined, err := f.client.Get(f.url("library/app/blobs/" + layer.String()))
	must(t, err)
	defer joined.Body.Close()
	close(hold)
	for what, resp := range map[string]*http.Response{"begun before": underWay, "begun after": joined} {
		got, n, err := v1.SHA256(resp.Body)
		if err != nil || got != layer {
			t.Errorf("the request %s got %d bytes of %s, error %v", what, n, got, err)
		}
	}
	if diff := cmp.Diff([]int{1, 0}, []int{before.blobs[layer.String()], after.blobs[layer.String()]}); diff != "" {
		t.Errorf("transfers of the blob from the old and the new upstream (-want +got):\n%s", diff)
	}
	f.figure(t, `registryhub_proxy_config_reloads_total{result="applied"} 1`)
	f.figure(t, fmt.Sprintf(`registryhub_proxy_build_info{config_hash=%q,version="test"} 1`, config.Hash([]byte(next))))
}

func TestABadFileIsRefusedAndTheOneBeforeServes(t *testing.T) {
	o := newOrigin(t)
	img, err := random.Image(1000, 1)
	must(t, err)
	o.push(t, "1", img)
	good := configuration(o.URL, t.TempDir())
	f := runFile(t, good)
	cases := map[string]struct{ content, want string }{
		"empty":                   {"", "ProxyConfiguration"},
		"not YAML":                {"\x00{", "reading the ProxyConfiguration"},
		"a field that is unknown": {good + "surprise: 1\n", "surprise"},
		"no host":                 {strings.Split(good, "mirror:")[0] + "mirror: {}\n", "mirror.hosts"},
		"a CA file that is missing": {
			strings.Replace(good, "name: origin,", "name: origin, caFile: /nonexistent/ca.crt,", 1), "/nonexistent/ca.crt",
		},
		"a bad upstream beside a good one": {
			strings.Replace(good, "upstreams: [", "upstreams: [{name: bad, url: \"http://x/UPPER\"}, ", 1), "bad",
		},
		"another address":   {strings.Replace(good, `registry: "127.0.0.1:0"`, `registry: ":1"`, 1), "listen.registry: restart needed"},
		"another diagnosis": {strings.Replace(good, `diagnostics: "127.0.0.1:0"`, `diagnostics: ":1"`, 1), "listen.diagnostics: restart needed"},
		"TLS":               {strings.Replace(good, `registry: "127.0.0.1:0"`, `registry: "127.0.0.1:0", tls: {certificateDirectory: /x}`, 1), "/x/tls.crt"},
		"another directory": {strings.Replace(good, "store: {directory: ", "store: {directory: /else", 1), "store.directory: restart needed"},
		"another hub":       {strings.Replace(good, "hub: test", "hub: other", 1), "hub: restart needed"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			was := f.log.count("configuration refused")
			f.write(t, tc.content)
			f.await(t, "it is refused", func(r config.ProxyReport) bool {
				return r.InForce == config.Hash([]byte(good)) && r.Refused != nil &&
					r.Refused.Hash == config.Hash([]byte(tc.content)) && strings.Contains(r.Refused.Reason, tc.want)
			})
			f.figure(t, "registryhub_proxy_config_reload_failed 1")
			status, _ := get(t, f.client, f.url("library/app/manifests/1"))
			if status != http.StatusOK {
				t.Errorf("with the one before: got %d, want 200", status)
			}
			f.Reload() // looks at the same problem again
			f.write(t, good)
			f.await(t, "the good one is back", inForce(good))
			f.figure(t, "registryhub_proxy_config_reload_failed 0")
			if n := f.log.count("configuration refused") - was; n != 1 {
				t.Errorf("it was logged %d times, want once", n)
			}
		})
	}
	must(t, os.Remove(f.file))
	f.await(t, "a missing file is refused", func(r config.ProxyReport) bool { return r.Refused != nil && r.Refused.Hash == "" })
}

func TestUpstreamsThatStayKeepTheirConnectionsAndOthersAreClosed(t *testing.T) {
	o, gone := newCountedOrigin(t), newCountedOrigin(t)
	dir := t.TempDir()
	hosts := func(names ...string) string {
		all := &strings.Builder{}
		all.WriteString(strings.Split(configuration("", dir), "  - {host")[0])
		for _, host := range names {
			url := o.URL
			if host == "gone.test" {
				url = gone.URL
			}
			fmt.Fprintf(all, "  - {host: %s, upstreams: [{name: origin, url: %q}]}\n", host, url)
		}
		return all.String()
	}
	f := runFile(t, hosts("a.test", "gone.test"))
	ask := func(host string) {
		status, _ := get(t, f.client, f.url("app/manifests/1?ns="+host))
		if status != http.StatusNotFound {
			t.Errorf("%s: got %d, want 404", host, status)
		}
	}
	ask("a.test")
	ask("gone.test")
	next := hosts("b.test", "a.test")
	f.write(t, next)
	f.await(t, "the next is in force", inForce(next))
	eventually(t, "the upstream that is gone has no connection", func() bool { return gone.open.Load() == 0 })
	ask("a.test")
	ask("b.test")
	if n := o.made.Load(); n != 1 {
		t.Errorf("%d connections were made to the upstream that stays, want 1", n)
	}
}

// countedOrigin has nothing, and counts its connections.
type countedOrigin struct {
	*httptest.Server
	made, open atomic.Int32
}

func newCountedOrigin(t *testing.T) *countedOrigin {
	t.Helper()
	o := &countedOrigin{Server: httptest.NewUnstartedServer(http.NotFoundHandler())}
	o.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			o.made.Add(1)
			o.open.Add(1)
		case http.StateClosed:
			o.open.Add(-1)
		default:
		}
	}
	o.Start()
	t.Cleanup(o.Close)
	return o
}

func TestAProxyDrainsWhileItsFileChanges(t *testing.T) {
	o := newOrigin(t)
	hold := make(chan struct{})
	o.hold = hold
	img, err := random.Image(1<<20, 1)
	must(t, err)
	layer := o.push(t, "1", img)
	dir := t.TempDir()
	f := runFile(t, configuration(o.URL, dir))
	resp, err := f.client.Get(f.url("library/app/blobs/" + layer.String()))
	must(t, err)
	defer resp.Body.Close()

	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				_ = os.WriteFile(f.file, []byte(configuration(fmt.Sprintf("http://127.0.0.1:%d", 1+i%9), dir)), 0o600)
				f.Reload()
			}
		}
	}()
	eventually(t, "it reloads", func() bool { return f.log.count("configuration taken into force") > 3 })
	f.stop()
	eventually(t, "it drains", func() bool { return f.log.count("proxy drains") == 1 })
	close(hold)
	n, err := io.Copy(io.Discard, resp.Body)
	if err != nil || n != resp.ContentLength {
		t.Errorf("the request under way got %d bytes of %d, error %v", n, resp.ContentLength, err)
	}
	err = <-f.ended
	f.ended <- nil
	close(stop)
	<-stopped
	must(t, err)
}
