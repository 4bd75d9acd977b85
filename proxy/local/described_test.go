package local_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/opencontainers/go-digest"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/registryhub/registryhub/proxy/access"
	"github.com/registryhub/registryhub/proxy/distspec"
	"github.com/registryhub/registryhub/proxy/local"
	"github.com/registryhub/registryhub/proxy/local/ticket"
	"github.com/registryhub/registryhub/proxy/metrics"
	"github.com/registryhub/registryhub/proxy/store"
	"github.com/registryhub/registryhub/proxy/store/described"
	"github.com/registryhub/registryhub/proxy/store/fsstore"
)

// remembering has a registry remember what it has for longer than any test takes.
func remembering(o *local.Options) {
	o.Store = described.New(o.Store.(store.Registry), described.Options{Moment: time.Hour, Often: 1})
}

func TestWhatWasDeletedByAnotherReplicaIsNotAcknowledgedFromMemory(t *testing.T) {
	dir := t.TempDir()
	r, other := newReplica(t, dir, remembering), newReplica(t, dir)
	manifest := r.pushImage("team/app", "v1", "one", nil)
	config, layer := digest.FromString(`{"config":"one"}`).String(), digest.FromString("layer of one").String()
	paths := []string{"/v2/team/app/blobs/" + config, "/v2/team/app/blobs/" + layer, "/v2/team/app/manifests/" + digest.FromString(manifest).String()}
	for _, path := range paths {
		r.do("GET", path, "").is(t, http.StatusOK) // remembered
		other.do("DELETE", path, "").is(t, http.StatusAccepted)
	}
	r.do("GET", "/v2/team/app/manifests/v1", "").is(t, http.StatusNotFound, distspec.CodeManifestUnknown)
	for _, path := range paths {
		r.do("GET", path, "").is(t, http.StatusOK) // from memory still
	}
	r.do("POST", "/v2/team/other/blobs/uploads/?mount="+config+"&from=team/app", "").is(t, http.StatusAccepted)
	r.do("POST", "/v2/team/other/blobs/uploads/?mount="+layer, "").is(t, http.StatusAccepted)
	r.do("HEAD", paths[0], "").is(t, http.StatusNotFound)
	r.do("HEAD", paths[2], "").is(t, http.StatusNotFound)
	r.putManifest("team/app", "v2", manifest).is(t, http.StatusNotFound, distspec.CodeManifestBlobUnknown)
	r.pushBlob("team/app", `{"config":"one"}`)
	r.putManifest("team/app", "v2", manifest).is(t, http.StatusNotFound, distspec.CodeManifestBlobUnknown) // the layer is not there
	r.pushBlob("team/app", "layer of one")
	r.putManifest("team/app", "v2", manifest).is(t, http.StatusCreated)
	other.do("GET", "/v2/team/app/manifests/v2", "").is(t, http.StatusOK)
	other.do("GET", paths[1], "").is(t, http.StatusOK)
}

func TestWhatIsDeletedIsGoneFromMemory(t *testing.T) {
	r := newRig(t, remembering)
	manifest := r.pushImage("team/app", "v1", "one", nil)
	for _, path := range []string{"/v2/team/app/blobs/" + digest.FromString("layer of one").String(), "/v2/team/app/manifests/" + digest.FromString(manifest).String()} {
		r.do("GET", path, "").is(t, http.StatusOK)
		r.do("DELETE", path, "").is(t, http.StatusAccepted)
		r.do("GET", path, "").is(t, http.StatusNotFound)
	}
}

// BenchmarkRequest is what it costs to ask a directory, and one whose links are remembered.
func BenchmarkRequest(b *testing.B) {
	content, err := fsstore.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	keys, err := ticket.NewKeys(bytes.Repeat([]byte("k"), ticket.KeyLength))
	if err != nil {
		b.Fatal(err)
	}
	d, m := digest.FromString("a layer"), image("a layer", nil, nil)
	requests := map[string]*http.Request{
		"HEAD of a blob":    httptest.NewRequest(http.MethodHead, "/v2/team/app/blobs/"+d.String(), nil),
		"GET of a blob":     httptest.NewRequest(http.MethodGet, "/v2/team/app/blobs/"+d.String(), nil),
		"GET of a manifest": httptest.NewRequest(http.MethodGet, "/v2/team/app/manifests/v1", nil),
	}
	for name, s := range map[string]store.Registry{"a directory": content, "remembered": described.New(content, described.Options{})} {
		g := local.New(local.Options{
			Hub: "internal", Store: s, Keys: keys, Guard: access.Policy{Anonymous: access.AnonymousPush}, Logger: logr.Discard(), Metrics: metrics.New(prometheus.NewRegistry()),
		})
		g.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/v2/team/app/blobs/uploads/?digest="+d.String(), bytes.NewReader([]byte("a layer"))))
		put := httptest.NewRequest(http.MethodPut, "/v2/team/app/manifests/v1", bytes.NewReader([]byte(m)))
		put.Header.Set("Content-Type", distspec.MediaTypeManifest)
		g.ServeHTTP(httptest.NewRecorder(), put)
		for what, request := range requests {
			b.Run(what+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					w := httptest.NewRecorder()
					if g.ServeHTTP(w, request); w.Code != http.StatusOK {
						b.Fatalf("got %d %s", w.Code, w.Body)
					}
				}
			})
		}
	}
}
