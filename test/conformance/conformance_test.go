// Package conformance has the OCI distribution specification's own suite judge the registry.
package conformance

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/go-logr/logr"
	"go.uber.org/goleak"
	"golang.org/x/crypto/bcrypt"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/hack/cluster/assets"
	"github.com/registryhub/registryhub/proxy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// counts are the suite's own, of its junit.xml.
type counts struct {
	Tests    int `xml:"tests,attr"`
	Errors   int `xml:"errors,attr"`
	Failures int `xml:"failures,attr"`
	Skipped  int `xml:"skipped,attr"`
	Disabled int `xml:"disabled,attr"`
}

func TestTheSpecificationsSuitePasses(t *testing.T) {
	cache, err := assets.Find(func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) })
	must(t, err)
	suite, err := cache.Conformance(t.Context())
	must(t, err)
	tests := map[string]struct {
		access      string
		environment []string
		replicas    int
	}{
		"pushed to by anyone": {access: "{anonymous: Push}", environment: []string{"OCI_VERSION=1.1"}, replicas: 1},
		"what comes after 1.1, of three replicas on one volume": {
			access: "{anonymous: Push}", environment: []string{"OCI_VERSION=1.1+dev"}, replicas: 3,
		},
		"pushed to by users": {
			access: "{htpasswdFile: " + users(t) + "}", environment: []string{"OCI_VERSION=1.1+dev", "OCI_USERNAME=alice", "OCI_PASSWORD=secret"}, replicas: 1,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			run := exec.CommandContext(t.Context(), suite)
			run.Dir = dir
			run.Env = append(os.Environ(), append(tc.environment, "OCI_TLS=disabled", "OCI_REGISTRY="+serve(t, tc.access, tc.replicas))...)
			output, err := run.CombinedOutput()
			if err != nil {
				t.Errorf("the suite ended with %v", err)
			}
			got := read(t, filepath.Join(dir, "results", "junit.xml"))
			t.Logf("%+v", got)
			if got.Errors+got.Failures+got.Skipped > 0 || got.Tests < 860 {
				t.Errorf("got %+v, want at least 860 tests of which none fails: %s", got, output)
			}
		})
	}
}

func read(t *testing.T, file string) counts {
	t.Helper()
	content, err := os.ReadFile(file)
	must(t, err)
	var got counts
	must(t, xml.Unmarshal(content, &got))
	return got
}

// serve runs replicas on one volume, and returns the address of what gives each request to the next of them.
func serve(t *testing.T, access string, replicas int) string {
	t.Helper()
	dir, keys := t.TempDir(), t.TempDir()
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	must(t, os.WriteFile(filepath.Join(keys, config.LocalKeyCurrent), key, 0o600))
	var addresses []string
	for range replicas {
		addresses = append(addresses, serveOne(t, dir, keys, access))
	}
	if replicas == 1 {
		return addresses[0]
	}
	var turn atomic.Int64
	transport := &http.Transport{}
	balancer := httptest.NewServer(&httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: addresses[turn.Add(1)%int64(replicas)]})
			r.SetXForwarded()
		},
	})
	t.Cleanup(transport.CloseIdleConnections)
	t.Cleanup(balancer.Close)
	return strings.TrimPrefix(balancer.URL, "http://")
}

func serveOne(t *testing.T, dir, keys, access string) string {
	t.Helper()
	cfg, err := config.DecodeProxyConfiguration(fmt.Appendf(nil, `
apiVersion: config.registryhub.io/v1alpha1
kind: ProxyConfiguration
hub: internal
listen: {registry: "127.0.0.1:0", diagnostics: "127.0.0.1:0"}
store: {directory: %q}
local: {keysDirectory: %q, access: %s}
`, dir, keys, access))
	must(t, err)
	server, err := proxy.New(cfg, proxy.Options{Logger: logr.Discard()})
	must(t, err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		must(t, <-ended)
	})
	return server.RegistryAddr().String()
}

func users(t *testing.T) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.MinCost)
	must(t, err)
	file := filepath.Join(t.TempDir(), "users")
	must(t, os.WriteFile(file, bytes.Join([][]byte{[]byte("alice:"), hash, []byte("\n")}, nil), 0o600))
	return file
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
