package pullthrough

import (
	"errors"
	"net/http"
	"strconv"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy/answer"
	"github.com/registryhub/registryhub/proxy/distspec"
)

// canary is the one that is asked for. The mirror makes it up: no upstream is asked for it, nothing of it is stored, and
// the lists of repositories say nothing of it.
func (q query) canary() (config.CanaryName, bool) { return config.ParseCanaryRepository(q.Repository) }

// anyHost is whose canary a node pulls to prove that what it has no own wiring for comes here. Of it there is nothing else.
var anyHost = &Host{Name: config.AnyHostCanary}

// hostFor is the host that a request is for.
func (s *settings) hostFor(request distspec.Request, namespace string) (*Host, error) {
	if s.Others != nil && namespace == config.AnyHostCanary && isCanary(request.Repository) {
		return anyHost, nil
	}
	return s.hostOf(namespace)
}

func isCanary(repository string) bool {
	_, is := config.ParseCanaryRepository(repository)
	return is
}

var errNoCanary = errors.New("the hub has not been told who it is, or a canary has no such object")

// serveCanary answers a node that proves that it pulls through this hub.
func (m *Mirror) serveCanary(w http.ResponseWriter, r *http.Request, q query, name config.CanaryName) error {
	object, found := q.canaryObject(name)
	switch {
	case !found && q.Kind == distspec.KindBlob:
		return distspec.BlobUnknown(errNoCanary)
	case !found:
		return distspec.ManifestUnknown(errNoCanary)
	}
	m.Metrics.Canary()
	w.Header().Set("Docker-Content-Digest", object.Digest)
	if q.Kind == distspec.KindManifest {
		return answer.Body(w, r, object.MediaType, object.Content)
	}
	return writeCanaryBlob(w, r, object.Content)
}

func (q query) canaryObject(name config.CanaryName) (config.CanaryObject, bool) {
	if q.HubUID == "" {
		return config.CanaryObject{}, false
	}
	image, wanted := config.NewCanaryImage(q.HubUID, name), q.Reference.String()
	switch q.Kind {
	case distspec.KindManifest:
		return image.Manifest, wanted == config.CanaryTag || wanted == image.Manifest.Digest
	case distspec.KindBlob:
		return image.Blob(wanted)
	default:
		return config.CanaryObject{}, false
	}
}

func writeCanaryBlob(w http.ResponseWriter, r *http.Request, content []byte) error {
	p, err := answer.PieceOf(r, int64(len(content)))
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Accept-Ranges", "bytes")
	if !p.Partial {
		return answer.Body(w, r, "application/octet-stream", content)
	}
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Length", strconv.FormatInt(p.Length(), 10))
	h.Set("Content-Range", p.ContentRange(p.Size))
	w.WriteHeader(http.StatusPartialContent)
	_, err = w.Write(content[p.First : p.Last+1])
	return err
}
