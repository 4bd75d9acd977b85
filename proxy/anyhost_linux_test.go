package proxy_test

import (
	"context"
	"encoding/pem"
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
	"github.com/google/go-containerregistry/pkg/registry"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy"
)

// secure is a registry by TLS that the public roots of this process hold good, and the log of what it was asked.
func secure(t *testing.T) *httptest.Server {
	t.Helper()
	server := httptest.NewTLSServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	roots := filepath.Join(t.TempDir(), "roots.pem")
	must(t, os.WriteFile(roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600))
	t.Setenv("SSL_CERT_FILE", roots) // read at the first handshake of the process, and no other test makes one
	body := `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}`
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, server.URL+"/v2/team/app/manifests/1", strings.NewReader(body))
	must(t, err)
	r.Header.Set("Content-Type", "application/vnd.oci.image.index.v1+json")
	resp, err := server.Client().Do(r)
	must(t, err)
	must(t, resp.Body.Close())
	return server
}

func TestOneHubForEveryHostThatItsListAllows(t *testing.T) {
	listed, unlisted := secure(t), httptest.NewServer(http.NotFoundHandler())
	defer unlisted.Close()
	host := strings.TrimPrefix(listed.URL, "https://")
	cfg, err := config.DecodeProxyConfiguration(fmt.Appendf(nil, `
apiVersion: config.registryhub.io/v1alpha1
kind: ProxyConfiguration
hub: any
listen: {registry: "127.0.0.1:0", diagnostics: "127.0.0.1:0"}
store: {directory: %s}
mirror:
  allowedHosts: [%q, "*.internal.example"]
  hosts: [{host: "*"}]
`, t.TempDir(), host))
	must(t, err)
	server, err := proxy.New(cfg, proxy.Options{Logger: logr.Discard()})
	must(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()

	root := "http://" + server.RegistryAddr().String() + "/v2/"
	cases := map[string]struct {
		path, says string
		status     int
	}{
		"a host that is listed":         {"team/app/manifests/1?ns=" + host, "schemaVersion", 200},
		"from the store":                {"team/app/manifests/1?ns=" + host, "schemaVersion", 200},
		"what it does not have":         {"team/app/manifests/2?ns=" + host, "MANIFEST_UNKNOWN", 404},
		"a host that is not":            {"team/app/manifests/1?ns=quay.io", "NAME_UNKNOWN", 404},
		"an address that is not":        {"team/app/manifests/1?ns=" + strings.TrimPrefix(unlisted.URL, "http://"), "NAME_UNKNOWN", 404},
		"the metadata service":          {"team/app/manifests/1?ns=169.254.169.254", "NAME_UNKNOWN", 404},
		"no host":                       {"team/app/manifests/1", "name the one that is meant", 404},
		"the base, which is of no host": {"", "{}", 200},
	}
	for name, tc := range cases {
		status, body := get(t, client, root+tc.path)
		if status != tc.status || !strings.Contains(body, tc.says) {
			t.Errorf("%s: got %d %s, want %d and %q", name, status, body, tc.status, tc.says)
		}
	}
	_, figures := get(t, client, "http://"+server.DiagnosticsAddr().String()+"/metrics")
	if !strings.Contains(figures, `upstream="*"`) || strings.Contains(figures, host) {
		t.Error("the metrics do not call every host by one word")
	}
	stop()
	must(t, <-ended)
}
