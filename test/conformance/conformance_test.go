// Package conformance has the OCI distribution specification's own suite judge the registry.
package conformance

import (
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

	"go.uber.org/goleak"

	"github.com/registryhub/registryhub/hack/cluster/assets"
	"github.com/registryhub/registryhub/test/localregistry"
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
		bucket      bool
	}{
		"pushed to by anyone": {access: "{anonymous: Push}", environment: []string{"OCI_VERSION=1.1"}, replicas: 1},
		"what comes after 1.1, of three replicas on one volume": {
			access: "{anonymous: Push}", environment: []string{"OCI_VERSION=1.1+dev"}, replicas: 3,
		},
		"what comes after 1.1, of three replicas on one bucket": {
			access: "{anonymous: Push}", environment: []string{"OCI_VERSION=1.1+dev"}, replicas: 3, bucket: true,
		},
		"pushed to by users": {
			access: "{htpasswdFile: " + localregistry.Users(t, "alice", "secret") + "}", environment: []string{"OCI_VERSION=1.1+dev", "OCI_USERNAME=alice", "OCI_PASSWORD=secret"}, replicas: 1,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			run := exec.CommandContext(t.Context(), suite)
			run.Dir = dir
			run.Env = append(os.Environ(), append(tc.environment, "OCI_TLS=disabled", "OCI_REGISTRY="+serve(t, tc.access, tc.replicas, tc.bucket))...)
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

// serve runs replicas on one volume, or on one bucket, and returns the address of what gives each request to the next of them.
func serve(t *testing.T, access string, replicas int, bucket bool) string {
	t.Helper()
	newPlace := localregistry.NewPlace
	if bucket {
		newPlace = localregistry.NewBucket
	}
	place := newPlace(t, access)
	var addresses []string
	for range replicas {
		addresses = append(addresses, place.Serve(t))
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

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
