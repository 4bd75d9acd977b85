package origin

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/opencontainers/go-digest"
)

// Registry is the content that any number of origins serve.
type Registry struct {
	handler http.Handler
	blobs   blobs
}

// NewRegistry returns one without content.
func NewRegistry() *Registry {
	r := &Registry{blobs: blobs{held: map[string][]byte{}}}
	r.handler = registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithBlobHandler(&r.blobs))
	return r
}

// Origin starts an upstream of the registry, with TLS where secure is given.
func (r *Registry) Origin(secure *tls.Config) (*Server, error) { return newServer(r.answer, secure) }

// Whole is the blob that a request asks a part of.
func (r *Registry) Whole(request *http.Request) []byte {
	return r.blobs.get(path.Base(request.URL.Path))
}

func (r *Registry) answer(request *http.Request) *Answer {
	if body := r.Whole(request); body != nil && strings.Contains(request.URL.Path, "/blobs/") {
		return blobAnswer(request, body)
	}
	recorded, asked := httptest.NewRecorder(), request
	if request.Method == http.MethodHead {
		asked = httptest.NewRequest(http.MethodGet, request.URL.Path, nil) // the same header, and a body that has the length
	}
	r.handler.ServeHTTP(recorded, asked)
	a := newAnswer(request, 0, recorded.Code, recorded.Body.Bytes())
	switch {
	case strings.Contains(request.URL.Path, "/manifests/"):
		a.Kind = Manifests
	case strings.Contains(request.URL.Path, "/blobs/"):
		a.Kind = SmallBlobs
	}
	a.Header = recorded.Header()
	return a
}

// blobAnswer adds what the library's registry lacks: ranges that are open at the end.
func blobAnswer(request *http.Request, body []byte) *Answer {
	kind := SmallBlobs
	if len(body) >= LayerSize {
		kind = Layers
	}
	a := newAnswer(request, kind, http.StatusOK, body)
	if request.Header.Get("Range") != "" && request.Method == http.MethodGet {
		recorded := httptest.NewRecorder()
		http.ServeContent(recorded, request, "", time.Time{}, bytes.NewReader(body))
		a.Status, a.Header, a.Body = recorded.Code, recorded.Header(), recorded.Body.Bytes()
	}
	a.Header.Set("Accept-Ranges", "bytes")
	a.Header.Set("Content-Type", "application/octet-stream")
	a.Header.Set("Docker-Content-Digest", path.Base(request.URL.Path))
	return a
}

// write changes the content, past all faults.
func (r *Registry) write(method, url, contentType string, body []byte) error {
	request := httptest.NewRequest(method, url, bytes.NewReader(body))
	request.Header.Set("Content-Type", contentType)
	recorded := httptest.NewRecorder()
	r.handler.ServeHTTP(recorded, request)
	if recorded.Code >= http.StatusMultipleChoices {
		return fmt.Errorf("%s %s in the registry: %d %s", method, url, recorded.Code, recorded.Body)
	}
	return nil
}

// blobs implements registry.BlobHandler and registry.BlobStatHandler.
type blobs struct {
	mu   sync.RWMutex
	held map[string][]byte
}

func (b *blobs) put(body []byte) digest.Digest {
	d := digest.FromBytes(body)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held[d.String()] = body
	return d
}

func (b *blobs) get(name string) []byte {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.held[name]
}

// Get implements registry.BlobHandler.
func (b *blobs) Get(_ context.Context, _ string, h v1.Hash) (io.ReadCloser, error) {
	if body := b.get(h.String()); body != nil {
		return io.NopCloser(bytes.NewReader(body)), nil
	}
	return nil, registry.ErrNotFound
}

// Stat implements registry.BlobStatHandler.
func (b *blobs) Stat(_ context.Context, _ string, h v1.Hash) (int64, error) {
	if body := b.get(h.String()); body != nil {
		return int64(len(body)), nil
	}
	return 0, registry.ErrNotFound
}
