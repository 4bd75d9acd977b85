package pullthrough_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// placed is an image, and the one name under which an upstream has it.
type placed struct {
	image
	repository string
}

// pushApart pushes an image for each tag, each under a name of its own, blobs included: pkg/registry itself has blobs
// without repositories.
func (o *origin) pushApart(t *testing.T, names map[string]string) map[string]placed {
	t.Helper()
	images, home := map[string]placed{}, map[string]string{}
	for tag, repository := range names {
		one := placed{o.pushImage(t, repository, tag, 100<<10), repository}
		images[tag], home[one.layer.String()], home[one.config.String()] = one, repository, repository
	}
	o.fail(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		repository, d, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v2/"), "/blobs/")
		if home[d] != "" && home[d] != repository {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		next.ServeHTTP(w, r)
	})
	return images
}

// TestFallbackIsOfAReferenceAndNotOfItsRepository has what registry.k8s.io has of coredns: old tags under the flat name,
// new ones under the nested.
func TestFallbackIsOfAReferenceAndNotOfItsRepository(t *testing.T) {
	for name, order := range map[string][]string{
		"the flat one first":   {"flat", "nested"},
		"the nested one first": {"nested", "flat"},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOrigin(t)
			images := o.pushApart(t, map[string]string{"flat": "coredns", "nested": "coredns/coredns"})
			r := start(t, setup{upstreams: []string{o.URL}, rules: doubled})
			found := map[string][]string{
				"flat":   {"GET coredns/manifests/flat"},
				"nested": {"GET coredns/manifests/nested", "GET coredns/coredns/manifests/nested"},
			}
			for _, tag := range order {
				r.get(t, "coredns/manifests/"+tag).want(t, 200, images[tag].body)
				wantAsked(t, o, found[tag]...)
			}
			for _, tag := range order {
				one := images[tag]
				r.get(t, "coredns/blobs/"+one.layer.String()).want(t, 200, one.content)
				r.do(t, http.MethodHead, "coredns/blobs/"+one.config.String()).want(t, 200, nil)
				wantAsked(t, o, "GET "+one.repository+"/blobs/"+one.layer.String(), "HEAD "+one.repository+"/blobs/"+one.config.String())
			}
			r.clock.advance(6 * time.Minute)
			for _, tag := range order {
				r.get(t, "coredns/manifests/"+tag).want(t, 200, images[tag].body)
				wantAsked(t, o, "HEAD "+images[tag].repository+"/manifests/"+tag)
			}
		})
	}
}
