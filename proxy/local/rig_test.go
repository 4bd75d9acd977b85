package local_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	"github.com/opencontainers/go-digest"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/registryhub/registryhub/proxy/access"
	"github.com/registryhub/registryhub/proxy/distspec"
	"github.com/registryhub/registryhub/proxy/local"
	"github.com/registryhub/registryhub/proxy/local/ticket"
	"github.com/registryhub/registryhub/proxy/metrics"
	"github.com/registryhub/registryhub/proxy/store"
	"github.com/registryhub/registryhub/proxy/store/fsstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a registry to which anybody may push, and a client that follows no redirects.
type rig struct {
	t      *testing.T
	server *httptest.Server
	dir    string
}

// option changes what a registry is made of.
type option func(*local.Options)

func newRig(t *testing.T, options ...option) *rig {
	t.Helper()
	return newReplica(t, t.TempDir(), options...)
}

// newReplica is another process over the same directory.
func newReplica(t *testing.T, dir string, options ...option) *rig {
	t.Helper()
	content, err := fsstore.Open(dir)
	must(t, err)
	keys, err := ticket.NewKeys(bytes.Repeat([]byte("k"), ticket.KeyLength))
	must(t, err)
	o := local.Options{
		Hub: "internal", Store: content, Keys: keys, Guard: access.Policy{Anonymous: access.AnonymousPush},
		Logger: testr.New(t), Metrics: metrics.New(prometheus.NewRegistry()),
	}
	for _, set := range options {
		set(&o)
	}
	r := &rig{t: t, server: httptest.NewServer(local.New(o)), dir: dir}
	t.Cleanup(r.server.Close)
	return r
}

// reply is an answer that was read to its end.
type reply struct {
	*http.Response
	body string
}

// do sends a request; headers are given as "Name: value".
func (r *rig) do(method, path, body string, headers ...string) reply {
	r.t.Helper()
	return r.send(method, path, strings.NewReader(body), headers...)
}

func (r *rig) send(method, path string, body io.Reader, headers ...string) reply {
	r.t.Helper()
	request, err := http.NewRequestWithContext(r.t.Context(), method, r.server.URL+path, body)
	must(r.t, err)
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		request.Header.Set(name, value)
	}
	response, err := r.server.Client().Transport.RoundTrip(request)
	must(r.t, err)
	text, err := io.ReadAll(response.Body)
	must(r.t, err)
	must(r.t, response.Body.Close())
	return reply{response, string(text)}
}

// is checks the status, and the code of an error where there is one.
func (a reply) is(t *testing.T, status int, code ...distspec.Code) reply {
	t.Helper()
	if a.StatusCode != status {
		t.Fatalf("%s %s: got %d %s, want %d", a.Request.Method, a.Request.URL.Path, a.StatusCode, a.body, status)
	}
	for _, c := range code {
		if !strings.Contains(a.body, `"code":"`+string(c)+`"`) {
			t.Errorf("%s %s: got %s, want the code %s", a.Request.Method, a.Request.URL.Path, a.body, c)
		}
	}
	return a
}

func (a reply) has(t *testing.T, header, want string) reply {
	t.Helper()
	if got := a.Header.Get(header); got != want {
		t.Errorf("%s %s: %s is %q, want %q", a.Request.Method, a.Request.URL.Path, header, got, want)
	}
	return a
}

func (a reply) location(t *testing.T) string {
	t.Helper()
	at := a.Header.Get("Location")
	if at == "" {
		t.Fatalf("%s %s: got %d without a Location", a.Request.Method, a.Request.URL.Path, a.StatusCode)
	}
	return at
}

// pushBlob pushes at once.
func (r *rig) pushBlob(repository, content string) digest.Digest {
	r.t.Helper()
	d := digest.FromString(content)
	r.do("POST", "/v2/"+repository+"/blobs/uploads/?digest="+d.String(), content).is(r.t, http.StatusCreated)
	return d
}

func (r *rig) begin(repository string) string {
	r.t.Helper()
	return r.do("POST", "/v2/"+repository+"/blobs/uploads/", "").is(r.t, http.StatusAccepted).location(r.t)
}

func descriptor(mediaType, content string) map[string]any {
	return map[string]any{"mediaType": mediaType, "digest": digest.FromString(content).String(), "size": len(content)}
}

// image is a manifest of a config and layers, with more members.
func image(config string, layers []string, more map[string]any) string {
	list := make([]any, 0, len(layers))
	for _, layer := range layers {
		list = append(list, descriptor("application/vnd.oci.image.layer.v1.tar", layer))
	}
	document := map[string]any{
		"schemaVersion": 2, "mediaType": distspec.MediaTypeManifest,
		"config": descriptor("application/vnd.oci.image.config.v1+json", config), "layers": list,
	}
	for name, value := range more {
		document[name] = value
	}
	return encode(document)
}

func encode(document any) string {
	text, err := json.Marshal(document)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// pushImage pushes blobs and a manifest, and returns that one.
func (r *rig) pushImage(repository, reference, name string, more map[string]any) string {
	r.t.Helper()
	config, layer := fmt.Sprintf("{%q:%q}", "config", name), "layer of "+name
	r.pushBlob(repository, config)
	r.pushBlob(repository, layer)
	manifest := image(config, []string{layer}, more)
	if reference == "" {
		reference = digest.FromString(manifest).String()
	}
	r.putManifest(repository, reference, manifest).is(r.t, http.StatusCreated)
	return manifest
}

func (r *rig) putManifest(repository, reference, manifest string) reply {
	r.t.Helper()
	return r.do("PUT", "/v2/"+repository+"/manifests/"+reference, manifest, "Content-Type: "+distspec.MediaTypeManifest)
}

func withNow(now func() time.Time) option { return func(o *local.Options) { o.Now = now } }

func withRules(rules local.Rules) option {
	return func(o *local.Options) { o.Rules = func() local.Rules { return rules } }
}

// readOnly hides that a store can be pushed to.
type readOnly struct{ store.Store }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
