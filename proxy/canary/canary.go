// Package canary answers nodes that prove that they pull through a hub. What they get is made up here: no upstream is asked
// for it, nothing of it is stored, and no list of repositories says anything of it.
package canary

import (
	"errors"
	"net/http"
	"strconv"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy/answer"
	"github.com/registryhub/registryhub/proxy/distspec"
	"github.com/registryhub/registryhub/proxy/metrics"
)

// Is reports whether a repository is a canary's.
func Is(repository string) bool {
	_, is := config.ParseCanaryRepository(repository)
	return is
}

var errNone = errors.New("the hub has not been told who it is, or a canary has no such object")

// Hub is what answers.
type Hub struct {
	// UID of the hub, of which the answers are made; empty: there are none.
	UID     string
	Metrics *metrics.Metrics
}

// Serve answers a request, for a repository that Is one, by GET or HEAD.
func (h Hub) Serve(w http.ResponseWriter, r *http.Request, request distspec.Request) error {
	object, found := h.object(request)
	switch {
	case !found && request.Kind == distspec.KindBlob:
		return distspec.BlobUnknown(errNone)
	case !found:
		return distspec.ManifestUnknown(errNone)
	}
	h.Metrics.Canary()
	w.Header().Set("Docker-Content-Digest", object.Digest)
	if request.Kind == distspec.KindManifest {
		return answer.Body(w, r, object.MediaType, object.Content)
	}
	return writeBlob(w, r, object.Content)
}

func (h Hub) object(request distspec.Request) (config.CanaryObject, bool) {
	name, is := config.ParseCanaryRepository(request.Repository)
	if h.UID == "" || !is {
		return config.CanaryObject{}, false
	}
	image, wanted := config.NewCanaryImage(h.UID, name), request.Reference.String()
	switch request.Kind {
	case distspec.KindManifest:
		return image.Manifest, wanted == config.CanaryTag || wanted == image.Manifest.Digest
	case distspec.KindBlob:
		return image.Blob(wanted)
	default:
		return config.CanaryObject{}, false
	}
}

func writeBlob(w http.ResponseWriter, r *http.Request, content []byte) error {
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
