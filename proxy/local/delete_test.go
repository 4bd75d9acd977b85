package local_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/distspec"
)

func TestATagIsDeleted(t *testing.T) {
	r := newRig(t)
	manifest := r.pushImage("team/app", "v1", "one", nil)
	r.putManifest("team/app", "v2", manifest).is(t, http.StatusCreated)
	r.do("DELETE", "/v2/team/app/manifests/v1", "").is(t, http.StatusAccepted)
	r.do("GET", "/v2/team/app/manifests/v1", "").is(t, http.StatusNotFound, distspec.CodeManifestUnknown)
	r.do("DELETE", "/v2/team/app/manifests/v1", "").is(t, http.StatusNotFound, distspec.CodeManifestUnknown)
	r.do("GET", "/v2/team/app/manifests/v2", "").is(t, http.StatusOK)
	r.do("GET", "/v2/team/app/manifests/"+digest.FromString(manifest).String(), "").is(t, http.StatusOK)
}

func TestAManifestIsDeletedWithItsTags(t *testing.T) {
	dir := t.TempDir()
	r, replica := newReplica(t, dir), newReplica(t, dir)
	one := r.pushImage("team/app", "v1", "one", nil)
	r.putManifest("team/app", "latest", one).is(t, http.StatusCreated)
	r.pushImage("team/app", "v2", "two", nil)
	at := "/v2/team/app/manifests/" + digest.FromString(one).String()
	r.do("DELETE", at, "").is(t, http.StatusAccepted)
	for _, path := range []string{at, "/v2/team/app/manifests/v1", "/v2/team/app/manifests/latest"} {
		replica.do("GET", path, "").is(t, http.StatusNotFound, distspec.CodeManifestUnknown)
		r.do("HEAD", path, "").is(t, http.StatusNotFound)
	}
	r.do("DELETE", at, "").is(t, http.StatusNotFound, distspec.CodeManifestUnknown)
	r.do("DELETE", "/v2/team/none/manifests/"+digest.FromString(one).String(), "").is(t, http.StatusNotFound, distspec.CodeManifestUnknown)
	tags, _ := r.tags(t, "")
	if diff := cmp.Diff([]string{"v2"}, tags); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	r.putManifest("team/app", "v1", one).is(t, http.StatusCreated)
	r.do("GET", "/v2/team/app/manifests/v1", "").is(t, http.StatusOK)
}

func TestABlobIsDeleted(t *testing.T) {
	r := newRig(t)
	d := r.pushBlob("team/a", content)
	r.pushBlob("team/b", content)
	r.do("DELETE", "/v2/team/a/blobs/"+d.String(), "").is(t, http.StatusAccepted)
	r.do("GET", "/v2/team/a/blobs/"+d.String(), "").is(t, http.StatusNotFound, distspec.CodeBlobUnknown)
	r.do("HEAD", "/v2/team/a/blobs/"+d.String(), "").is(t, http.StatusNotFound)
	r.do("DELETE", "/v2/team/a/blobs/"+d.String(), "").is(t, http.StatusNotFound, distspec.CodeBlobUnknown)
	r.do("GET", "/v2/team/b/blobs/"+d.String(), "").is(t, http.StatusOK)
	r.pushBlob("team/a", content)
	r.do("GET", "/v2/team/a/blobs/"+d.String(), "").is(t, http.StatusOK)
}
