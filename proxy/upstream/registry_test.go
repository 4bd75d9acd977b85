package upstream

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/opencontainers/go-digest"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy/distspec"
)

const (
	manifestType = "application/vnd.oci.image.manifest.v1+json"
	manifestJSON = `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[]}`
	blobContent  = "0123456789"
)

var (
	manifestDigest = digest.FromString(manifestJSON)
	blobDigest     = digest.FromString(blobContent)
)

// recorded is a request that a server saw.
type recorded struct{ method, path, query, authorization, bytes, host, referer string }

// recorder counts what passes.
type recorder struct {
	mu   sync.Mutex
	seen []recorded
}

func (r *recorder) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		r.seen = append(r.seen, recorded{req.Method, req.URL.Path, req.URL.RawQuery, req.Header.Get("Authorization"), req.Header.Get("Range"), req.Host, req.Header.Get("Referer")})
		r.mu.Unlock()
		next.ServeHTTP(w, req)
	})
}

func (r *recorder) requests() []recorded {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]recorded(nil), r.seen...)
}

// serve starts a server that records what it sees.
func serve(t *testing.T, handler http.Handler) (*httptest.Server, *recorder) {
	t.Helper()
	r := &recorder{}
	server := httptest.NewServer(r.wrap(handler))
	t.Cleanup(server.Close)
	return server, r
}

func serveFunc(t *testing.T, handler http.HandlerFunc) (*httptest.Server, *recorder) {
	t.Helper()
	return serve(t, handler)
}

// realRegistry is go-containerregistry's registry with a manifest of the tag v1 and a blob in each repository.
func realRegistry(t *testing.T, repositories ...string) http.Handler {
	t.Helper()
	handler := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	for _, repository := range repositories {
		put(t, handler, http.MethodPost, "/v2/"+repository+"/blobs/uploads/?digest="+blobDigest.String(), blobContent)
		put(t, handler, http.MethodPut, "/v2/"+repository+"/manifests/v1", manifestJSON)
	}
	return handler
}

func put(t *testing.T, handler http.Handler, method, target, body string) {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Content-Type", manifestType)
	handler.ServeHTTP(w, r)
	if w.Code != http.StatusCreated {
		t.Fatalf("%s %s: %d %s", method, target, w.Code, w.Body)
	}
}

// tokens is a token server, and the guard of the registry that believes its tokens.
type tokens struct {
	realm   string // Where the challenge sends clients.
	service string
	expires int

	mu       sync.Mutex
	password string // What is asked of clients; empty lets everybody in.
	issued   map[string]string
	requests []recorded
}

func (k *tokens) setPassword(password string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.password = password
}

// revoke makes every token of before worthless.
func (k *tokens) revoke() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.issued = nil
}

func (k *tokens) exchanges() []recorded {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]recorded(nil), k.requests...)
}

func (k *tokens) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.requests = append(k.requests, recorded{method: r.Method, path: r.URL.Path, query: r.URL.RawQuery, authorization: r.Header.Get("Authorization")})
	if _, password, _ := r.BasicAuth(); password != k.password {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if k.issued == nil {
		k.issued = map[string]string{}
	}
	token := fmt.Sprintf("token-%d", len(k.requests))
	k.issued["Bearer "+token] = r.URL.Query().Get("scope")
	_ = json.NewEncoder(w).Encode(map[string]any{"token": token, "expires_in": k.expires})
}

// guard challenges who has no token for the repository.
func (k *tokens) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request, err := distspec.ParseRequest(r)
		if err != nil {
			distspec.WriteError(w, r, err)
			return
		}
		scope := "repository:" + request.Repository + ":pull"
		k.mu.Lock()
		allowed := k.issued[r.Header.Get("Authorization")] == scope
		k.mu.Unlock()
		if !allowed {
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm=%q,service=%q,scope=%q`, k.realm, k.service, scope))
			distspec.WriteError(w, r, distspec.NewError(http.StatusUnauthorized, distspec.CodeUnauthorized, "log in"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// guardedRegistry is a registry with its token server at /token of the same host.
func guardedRegistry(t *testing.T, repositories ...string) (*httptest.Server, *tokens, *recorder) {
	t.Helper()
	k := &tokens{service: "test", expires: 300}
	mux := http.NewServeMux()
	mux.Handle("/token", k)
	guarded, seen := k.guard(realRegistry(t, repositories...)), &recorder{}
	mux.Handle("/v2/", seen.wrap(guarded))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	k.realm = server.URL + "/token"
	return server, k, seen
}

// client makes a client for the URL, with what edit changes.
func client(t *testing.T, url string, edit ...func(*config.UpstreamConfiguration)) *Client {
	t.Helper()
	return clientWith(t, url, Timeouts{}, edit...)
}

func clientWith(t *testing.T, url string, timeouts Timeouts, edit ...func(*config.UpstreamConfiguration)) *Client {
	t.Helper()
	cfg := config.UpstreamConfiguration{Name: "test", URL: url}
	for _, f := range edit {
		f(&cfg)
	}
	c, err := New(cfg, timeouts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func tagged(t *testing.T, s string) distspec.Reference {
	t.Helper()
	r, err := distspec.ParseReference(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// brief are time-outs for what is expected to hang.
func brief() Timeouts {
	const d = 50 * time.Millisecond
	return Timeouts{Header: d, Token: d, Idle: d}
}

func mustRequest(t *testing.T) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://h/v2/", nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
