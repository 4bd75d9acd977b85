package oracles

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// registry serves one manifest under a tag, and one blob, of a repository: enough to see where a pull goes.
type registry struct {
	*httptest.Server
	manifest, blob []byte
	// status, if set, is the answer to everything.
	status int
	// failOnce makes the next request fail.
	failOnce bool

	mu       sync.Mutex
	requests []string
}

const (
	repository   = "team/app"
	manifestType = ocispec.MediaTypeImageManifest
)

func newRegistry(t *testing.T) *registry {
	t.Helper()
	r := &registry{manifest: []byte(`{"schemaVersion":2,"mediaType":"` + manifestType + `"}`), blob: []byte("the blob")}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *registry) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	r.mu.Lock()
	r.requests = append(r.requests, request.Method+" "+request.URL.RequestURI())
	failing := r.failOnce
	r.failOnce = false
	r.mu.Unlock()
	switch {
	case failing:
		w.WriteHeader(http.StatusServiceUnavailable)
	case r.status != 0:
		w.WriteHeader(r.status)
	case strings.HasPrefix(request.URL.Path, "/v2/"+repository+"/manifests/"):
		serve(w, request, manifestType, r.manifest)
	case request.URL.Path == "/v2/"+repository+"/blobs/"+digest.FromBytes(r.blob).String():
		serve(w, request, "application/octet-stream", r.blob)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func serve(w http.ResponseWriter, request *http.Request, mediaType string, content []byte) {
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Docker-Content-Digest", digest.FromBytes(content).String())
	w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	if request.Method != http.MethodHead {
		_, _ = w.Write(content)
	}
}

// asked are the requests so far, and forgets them.
func (r *registry) asked() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	asked := r.requests
	r.requests = nil
	return asked
}

// host is the registry as references name it.
func (r *registry) host() string { return r.Listener.Addr().String() }

// refusing is a URL at which nobody listens.
func refusing(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return "http://" + listener.Addr().String()
}
