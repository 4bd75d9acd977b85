package pullthrough_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/opencontainers/go-digest"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy/metrics"
	"github.com/registryhub/registryhub/proxy/pullthrough"
	"github.com/registryhub/registryhub/proxy/rules"
	"github.com/registryhub/registryhub/proxy/store"
	"github.com/registryhub/registryhub/proxy/store/fsstore"
	"github.com/registryhub/registryhub/proxy/upstream"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

const (
	typeManifest = "application/vnd.oci.image.manifest.v1+json"
	typeIndex    = "application/vnd.oci.image.index.v1+json"
	typeLayer    = "application/vnd.oci.image.layer.v1.tar+gzip"
	typeConfig   = "application/vnd.oci.image.config.v1+json"
)

// outside is the forward proxy that the upstream clients of these tests reach other hosts than loopback through.
var outside = &forward{handlers: map[string]http.Handler{}}

func TestMain(m *testing.M) {
	server := httptest.NewServer(outside)
	if err := os.Setenv("HTTP_PROXY", server.URL); err != nil {
		log.Fatal(err)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		os.Exit(code)
	}), goleak.IgnoreCurrent())
}

type forward struct {
	mu       sync.Mutex
	handlers map[string]http.Handler
}

func (f *forward) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	handler := f.handlers[strings.ToLower(r.URL.Host)]
	f.mu.Unlock()
	if handler == nil {
		http.Error(w, "no such host", http.StatusBadGateway)
		return
	}
	handler.ServeHTTP(w, r)
}

// origin is an upstream registry that counts what it is asked, and fails as a test wants.
type origin struct {
	*httptest.Server
	registry http.Handler

	mu    sync.Mutex
	log   []string
	fault fault
}

// fault answers a request in the place of the registry, or calls next.
type fault func(w http.ResponseWriter, r *http.Request, next http.Handler)

func newOrigin(t *testing.T) *origin {
	t.Helper()
	o := &origin{registry: withRanges(registry.New(registry.Logger(log.New(io.Discard, "", 0))))}
	o.Server = httptest.NewServer(o)
	t.Cleanup(func() {
		o.CloseClientConnections()
		o.Close()
	})
	return o
}

// withRanges makes pkg/registry understand ranges that are open at the end.
func withRanges(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.Header.Get("Range") == "" {
			next.ServeHTTP(w, r)
			return
		}
		whole := httptest.NewRecorder()
		next.ServeHTTP(whole, httptest.NewRequest(http.MethodGet, r.URL.Path, nil))
		if whole.Code != http.StatusOK {
			w.WriteHeader(whole.Code)
			return
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(whole.Body.Bytes()))
	})
}

func (o *origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	if r.URL.Path != "/v2/" {
		o.log = append(o.log, r.Method+" "+strings.TrimPrefix(r.URL.Path, "/v2/"))
	}
	f := o.fault
	o.mu.Unlock()
	if f == nil {
		o.registry.ServeHTTP(w, r)
		return
	}
	f(w, r, o.registry)
}

func (o *origin) fail(f fault) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fault = f
}

func (o *origin) heal() { o.fail(nil) }

// asked returns the requests since the last call.
func (o *origin) asked() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	was := o.log
	o.log = nil
	return was
}

func status(code int) fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { w.WriteHeader(code) }
}

// push puts content straight into the registry.
func (o *origin) push(t *testing.T, method, path, contentType string, body []byte) {
	t.Helper()
	r := httptest.NewRequest(method, path, bytes.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	w := httptest.NewRecorder()
	o.registry.ServeHTTP(w, r)
	if w.Code != http.StatusCreated {
		t.Fatalf("pushing to %s: %d %s", path, w.Code, w.Body)
	}
}

func (o *origin) pushBlob(t *testing.T, repository string, body []byte) digest.Digest {
	t.Helper()
	d := digest.FromBytes(body)
	o.push(t, http.MethodPost, "/v2/"+repository+"/blobs/uploads/?digest="+d.String(), "application/octet-stream", body)
	return d
}

func (o *origin) pushManifest(t *testing.T, repository, tag, mediaType string, body []byte) digest.Digest {
	t.Helper()
	d := digest.FromBytes(body)
	o.push(t, http.MethodPut, "/v2/"+repository+"/manifests/"+d.String(), mediaType, body)
	if tag != "" {
		o.push(t, http.MethodPut, "/v2/"+repository+"/manifests/"+tag, mediaType, body)
	}
	return d
}

// image is a pushed image.
type image struct {
	manifest, config, layer digest.Digest
	body, content           []byte
}

func (o *origin) pushImage(t *testing.T, repository, tag string, layerSize int) image {
	t.Helper()
	one := image{content: random(layerSize)}
	conf := fmt.Appendf(nil, `{"architecture":"amd64","os":"linux","x":%q}`, digest.FromBytes(one.content))
	one.config, one.layer = o.pushBlob(t, repository, conf), o.pushBlob(t, repository, one.content)
	one.body = document(t, map[string]any{
		"schemaVersion": 2, "mediaType": typeManifest,
		"config": descriptorOf(typeConfig, one.config, len(conf)),
		"layers": []any{descriptorOf(typeLayer, one.layer, layerSize)},
	})
	one.manifest = o.pushManifest(t, repository, tag, typeManifest, one.body)
	return one
}

func descriptorOf(mediaType string, d digest.Digest, size int) map[string]any {
	return map[string]any{"mediaType": mediaType, "digest": d, "size": size}
}

func document(t *testing.T, value any) []byte {
	t.Helper()
	body, err := json.Marshal(value)
	must(t, err)
	return body
}

func random(n int) []byte {
	data := make([]byte, n)
	_, _ = rand.Read(data)
	return data
}

// rig is a mirror of registry.test in front of origins.
type rig struct {
	*httptest.Server
	dir    string
	mirror *pullthrough.Mirror
	clock  *clock
	events *events
	// figures are what its metrics come to.
	figures *prometheus.Registry
	close   func()
}

type setup struct {
	dir          string
	upstreams    []string
	rules        []config.FallbackRule
	tags         []config.TagRule
	repositories config.RepositoriesConfiguration
	wrap         func(store.Store) store.Store
	clock        *clock
	timeouts     upstream.Timeouts
	handler      func(http.Handler) http.Handler
	keeps        func(size int64) bool
	full         func()
	segments     pullthrough.Segments
	hubUID       string
}

func start(t *testing.T, s setup) *rig {
	t.Helper()
	r := assemble(t, s)
	handler := http.Handler(r.mirror)
	if s.handler != nil {
		handler = s.handler(r.mirror)
	}
	r.Server = httptest.NewServer(handler)
	r.close = sync.OnceFunc(func() {
		r.mirror.Close()
		r.CloseClientConnections()
		r.Close()
		r.Client().CloseIdleConnections()
	})
	t.Cleanup(r.close)
	return r
}

// assemble makes a rig without a server.
func assemble(t *testing.T, s setup) *rig {
	t.Helper()
	if s.dir == "" {
		s.dir = t.TempDir()
	}
	if s.clock == nil {
		s.clock = &clock{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	}
	content := openStore(t, s.dir)
	if s.wrap != nil {
		content = s.wrap(content)
	}
	compiled, err := rules.Compile(s.rules)
	must(t, err)
	tags, err := rules.CompileTags(config.TagsConfiguration{RevalidateAfter: &metav1.Duration{Duration: 5 * time.Minute}, Rules: s.tags})
	must(t, err)
	repositories, err := rules.CompileRepositories(s.repositories)
	must(t, err)
	host := pullthrough.Host{Name: "registry.test"}
	for i, url := range s.upstreams {
		client, err := upstream.New(config.UpstreamConfiguration{Name: fmt.Sprintf("up%d", i), URL: url}, s.timeouts)
		must(t, err)
		t.Cleanup(client.Close)
		host.Upstreams = append(host.Upstreams, client)
	}
	r := &rig{dir: s.dir, clock: s.clock, events: &events{}, figures: prometheus.NewRegistry()}
	r.mirror, err = pullthrough.New(pullthrough.Options{
		Hub: "hub", Store: content,
		Logger: r.events.logger(), Metrics: metrics.New(r.figures), Now: s.clock.Now, Keeps: s.keeps, Full: s.full,
	}, pullthrough.Settings{
		Hosts: []pullthrough.Host{host}, Rules: compiled, Tags: tags, Repositories: repositories, StaleIfError: time.Hour,
		Segments: s.segments, HubUID: s.hubUID,
	})
	must(t, err)
	t.Cleanup(r.mirror.Close)
	return r
}

func openStore(t *testing.T, dir string) store.Store {
	t.Helper()
	s, err := fsstore.Open(dir)
	must(t, err)
	return s
}

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// events keeps what the mirror logs.
type events struct {
	mu    sync.Mutex
	lines []string
}

func (e *events) logger() logr.Logger {
	return funcr.NewJSON(func(line string) {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.lines = append(e.lines, line)
	}, funcr.Options{})
}

func (e *events) with(message string) []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(e.lines), func(line string) bool { return !strings.Contains(line, `"msg":"`+message+`"`) })
}

// reply is an answer of the mirror, read to its end.
type reply struct {
	*http.Response
	body []byte
	// err is why the body ended before its length.
	err error
}

func (r *rig) do(t *testing.T, method, path string, headers ...string) reply {
	t.Helper()
	resp, err := r.open(t.Context(), method, path, headers...)
	must(t, err)
	body, err := io.ReadAll(resp.Body)
	must(t, resp.Body.Close())
	return reply{Response: resp, body: body, err: err}
}

func (r *rig) open(ctx context.Context, method, path string, headers ...string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, r.URL+"/v2/"+path, nil)
	if err != nil {
		return nil, err
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	return r.Client().Do(request)
}

func (r *rig) get(t *testing.T, path string, headers ...string) reply {
	t.Helper()
	return r.do(t, http.MethodGet, path, headers...)
}

func (r reply) want(t *testing.T, status int, body []byte) {
	t.Helper()
	if r.StatusCode != status || r.err != nil {
		t.Fatalf("%s %s: got %d, error %v, want %d; body %.200q", r.Request.Method, r.Request.URL.Path, r.StatusCode, r.err, status, r.body)
	}
	if body != nil && !bytes.Equal(r.body, body) {
		t.Fatalf("%s %s: got %d bytes that are not the %d wanted", r.Request.Method, r.Request.URL.Path, len(r.body), len(body))
	}
}

func wantAsked(t *testing.T, o *origin, want ...string) {
	t.Helper()
	if got := o.asked(); !slices.Equal(got, want) {
		t.Errorf("the upstream was asked\n got %q\nwant %q", got, want)
	}
}

// counted is a counter by the values of its labels; one without labels is under "".
func (r *rig) counted(t *testing.T, name string, labels ...string) map[string]float64 {
	t.Helper()
	families, err := r.figures.Gather()
	must(t, err)
	counts := map[string]float64{}
	for _, family := range families {
		if family.GetName() != "registryhub_proxy_"+name {
			continue
		}
		for _, metric := range family.GetMetric() {
			values := make([]string, len(labels))
			for _, pair := range metric.GetLabel() {
				if i := slices.Index(labels, pair.GetName()); i >= 0 {
					values[i] = pair.GetValue()
				}
			}
			counts[strings.Join(values, " ")] = metric.GetCounter().GetValue()
		}
	}
	return counts
}

// settle waits for the transfers of a rig to end.
func (r *rig) settle(t *testing.T, d digest.Digest) {
	t.Helper()
	eventually(t, "the blob is in the store", func() bool {
		object, err := openStore(t, r.dir).Open(t.Context(), d)
		if err == nil {
			must(t, object.Close())
		}
		return err == nil
	})
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline, again := time.After(patience), time.NewTicker(time.Millisecond)
	defer again.Stop()
	for !ok() {
		select {
		case <-again.C:
		case <-deadline:
			t.Fatalf("waited %s in vain: %s", patience, what)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
