package alerts

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/hack/cluster/pki"
	"github.com/registryhub/registryhub/proxy"
)

// hub is a proxy in front of an upstream that has one image and says what it allows.
type hub struct {
	*proxy.Server
	client *http.Client
}

const hubConfiguration = `
apiVersion: config.registryhub.io/v1alpha1
kind: ProxyConfiguration
hub: docker-io
listen: {registry: "127.0.0.1:0", diagnostics: "127.0.0.1:0", tls: {certificateDirectory: %q}}
store: {directory: %q}
mirror:
  hosts:
  - {host: docker.io, upstreams: [{name: docker-io, url: %q}]}
`

func startHub(t *testing.T) *hub {
	t.Helper()
	upstream := startUpstream(t)
	cfg, err := config.DecodeProxyConfiguration([]byte(fmt.Sprintf(hubConfiguration, certificate(t), t.TempDir(), upstream)))
	must(t, err)
	server, err := proxy.New(cfg, proxy.Options{Logger: logr.Discard(), Version: "test"})
	must(t, err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		stop()
		must(t, <-ended)
	})
	return &hub{Server: server, client: &http.Client{Transport: transport}}
}

// startUpstream serves the image library/app:1, with the headers of Docker Hub.
func startUpstream(t *testing.T) (address string) {
	t.Helper()
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ratelimit-limit", "100;w=21600")
		w.Header().Set("ratelimit-remaining", "76;w=21600")
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(upstream.Close)
	image, err := random.Image(64<<10, 2)
	must(t, err)
	reference, err := name.ParseReference(strings.TrimPrefix(upstream.URL, "http://") + "/library/app:1")
	must(t, err)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	must(t, remote.Write(reference, image, remote.WithTransport(transport)))
	return upstream.URL
}

// certificate makes the files of a Secret with a certificate.
func certificate(t *testing.T) (folder string) {
	t.Helper()
	authority, err := pki.NewAuthority("test")
	must(t, err)
	pair, err := authority.Issue(pki.Leaf{CommonName: "hub", Hosts: []string{"127.0.0.1"}})
	must(t, err)
	folder = t.TempDir()
	must(t, os.WriteFile(filepath.Join(folder, "tls.crt"), pair.Certificate, 0o600))
	must(t, os.WriteFile(filepath.Join(folder, "tls.key"), pair.Key, 0o600))
	return folder
}

// pull pulls the image through the proxy.
func (h *hub) pull(t *testing.T) {
	t.Helper()
	reference, err := name.ParseReference(h.RegistryAddr().String() + "/library/app:1")
	must(t, err)
	image, err := remote.Image(reference, remote.WithTransport(h.client.Transport))
	must(t, err)
	must(t, validate.Image(image))
}

// figures are what the proxy tells, a line each.
func (h *hub) figures(t *testing.T) []string {
	t.Helper()
	_, body := h.do(t, http.MethodGet, "http://"+h.DiagnosticsAddr().String()+"/metrics", nil)
	return strings.Split(string(body), "\n")
}

func (h *hub) do(t *testing.T, method, url string, header http.Header) (int, []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(nil))
	must(t, err)
	request.Header = header.Clone()
	response, err := h.client.Do(request)
	must(t, err)
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	must(t, err)
	return response.StatusCode, body
}
