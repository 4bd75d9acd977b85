package local_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy/access"
	"github.com/registryhub/registryhub/proxy/distspec"
	"github.com/registryhub/registryhub/proxy/local"
)

func (r *rig) tags(t *testing.T, query string) ([]string, reply) {
	t.Helper()
	a := r.do("GET", "/v2/team/app/tags/list"+query, "").is(t, http.StatusOK).has(t, "Content-Type", "application/json")
	var list struct {
		Name string
		Tags []string
	}
	must(t, json.Unmarshal([]byte(a.body), &list))
	if list.Name != "team/app" || list.Tags == nil {
		t.Errorf("got %s", a.body)
	}
	return list.Tags, a
}

func TestTagsAreListed(t *testing.T) {
	r := newRig(t)
	r.do("GET", "/v2/team/app/tags/list", "").is(t, http.StatusNotFound, distspec.CodeNameUnknown)
	manifest := r.pushImage("team/app", "", "one", nil)
	for _, tag := range []string{"b", "A", "a", "C", "10", "2", "_x"} {
		r.putManifest("team/app", tag, manifest).is(t, http.StatusCreated)
	}
	tests := map[string]struct {
		query string
		want  []string
		next  string
	}{
		"all":                       {"", []string{"10", "2", "_x", "A", "a", "b", "C"}, ""},
		"the first":                 {"?n=2", []string{"10", "2"}, "/v2/team/app/tags/list?last=2&n=2"},
		"what comes after one":      {"?n=2&last=2", []string{"_x", "A"}, "/v2/team/app/tags/list?last=A&n=2"},
		"after one that is not":     {"?last=Azz&n=1", []string{"b"}, "/v2/team/app/tags/list?last=b&n=1"},
		"what comes after, without": {"?last=a", []string{"b", "C"}, ""},
		"none":                      {"?n=0", []string{}, ""},
		"more than there are":       {"?n=100", []string{"10", "2", "_x", "A", "a", "b", "C"}, ""},
		"as many as there are":      {"?n=7", []string{"10", "2", "_x", "A", "a", "b", "C"}, ""},
		"after the last":            {"?last=C", []string{}, ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			r.t = t
			got, a := r.tags(t, tc.query)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("tags (-want +got):\n%s", diff)
			}
			if next := nextOf(a); next != tc.next {
				t.Errorf("the next page is %q, want %q", next, tc.next)
			}
		})
	}
	r.t = t
	r.do("GET", "/v2/team/app/tags/list?n=x", "").is(t, http.StatusBadRequest)
	r.do("GET", "/v2/team/tags/list", "").is(t, http.StatusNotFound, distspec.CodeNameUnknown)
}

var next = regexp.MustCompile(`^<([^>]*)>; rel="next"$`)

func nextOf(a reply) string {
	if found := next.FindStringSubmatch(a.Header.Get("Link")); found != nil {
		return found[1]
	}
	return a.Header.Get("Link")
}

// referrers follows the pages of a list, and returns its descriptors and how many pages there were.
func (r *rig) referrers(t *testing.T, at string) (descriptors []distspec.Descriptor, pages int) {
	t.Helper()
	for ; at != ""; pages++ {
		a := r.do("GET", at, "").is(t, http.StatusOK).has(t, "Content-Type", distspec.MediaTypeIndex)
		var index struct {
			SchemaVersion int
			MediaType     string
			Manifests     []distspec.Descriptor
		}
		must(t, json.Unmarshal([]byte(a.body), &index))
		if index.SchemaVersion != 2 || index.MediaType != distspec.MediaTypeIndex || index.Manifests == nil || len(a.body) > distspec.MaxManifestSize {
			t.Fatalf("got no index of %d bytes: %.1000s", len(a.body), a.body)
		}
		descriptors = append(descriptors, index.Manifests...)
		at = nextOf(a)
	}
	return descriptors, pages
}

func TestReferrersAreListed(t *testing.T) {
	r := newRig(t)
	subject := image("{}", nil, nil)
	d := digest.FromString(subject)
	at := "/v2/team/app/referrers/" + d.String()
	if got, _ := r.referrers(t, at); len(got) != 0 {
		t.Errorf("before anything is there: got %v", got)
	}
	r.pushBlob("team/app", "{}")
	to := map[string]any{"subject": descriptor(distspec.MediaTypeManifest, subject)}
	with := func(more map[string]any) map[string]any {
		for name, value := range to {
			more[name] = value
		}
		return more
	}
	pushed := map[string]distspec.Descriptor{}
	push := func(mediaType, body, artifactType string, annotations map[string]string) {
		t.Helper()
		of := digest.FromString(body)
		r.do("PUT", "/v2/team/app/manifests/"+of.String(), body, "Content-Type: "+mediaType).is(t, http.StatusCreated).has(t, distspec.HeaderSubject, d.String())
		pushed[of.String()] = distspec.Descriptor{MediaType: mediaType, Digest: of, Size: int64(len(body)), ArtifactType: artifactType, Annotations: annotations}
	}
	push(distspec.MediaTypeManifest, image("{}", nil, with(map[string]any{"artifactType": "a/sbom", "annotations": map[string]string{"k": "v"}})), "a/sbom", map[string]string{"k": "v"})
	push(distspec.MediaTypeManifest, image("{}", nil, with(map[string]any{})), "application/vnd.oci.image.config.v1+json", nil)
	index := map[string]any{"schemaVersion": 2, "mediaType": distspec.MediaTypeIndex, "manifests": []any{}}
	push(distspec.MediaTypeIndex, encode(with(index)), "", nil)
	check := func(t *testing.T, query string, wanted func(distspec.Descriptor) bool, pages int) {
		t.Helper()
		r.t = t
		got, n := r.referrers(t, at+query)
		if n != pages {
			t.Errorf("there are %d pages, want %d", n, pages)
		}
		left := map[string]distspec.Descriptor{}
		for key, one := range pushed {
			if wanted(one) {
				left[key] = one
			}
		}
		for _, one := range got {
			if diff := cmp.Diff(left[one.Digest.String()], one); diff != "" {
				t.Errorf("descriptor (-want +got):\n%s", diff)
			}
			delete(left, one.Digest.String())
		}
		if len(left) > 0 {
			t.Errorf("missing: %v", left)
		}
	}
	all := func(distspec.Descriptor) bool { return true }
	t.Run("before the subject is there", func(t *testing.T) { check(t, "", all, 1) })
	r.t = t
	r.putManifest("team/app", "v1", subject).is(t, http.StatusCreated).has(t, distspec.HeaderSubject, "")
	t.Run("when the subject is there", func(t *testing.T) { check(t, "", all, 1) })
	t.Run("in pages", func(t *testing.T) { check(t, "?n=1", all, 3) })
	sboms := func(one distspec.Descriptor) bool { return one.ArtifactType == "a/sbom" }
	t.Run("of a type", func(t *testing.T) {
		check(t, "?artifactType=a/sbom", sboms, 1)
		r.do("GET", at+"?artifactType=a/sbom", "").is(t, http.StatusOK).has(t, distspec.HeaderFiltersApplied, "artifactType")
		r.do("GET", at, "").is(t, http.StatusOK).has(t, distspec.HeaderFiltersApplied, "")
	})
	t.Run("of a type that none has", func(t *testing.T) {
		check(t, "?artifactType=none", func(distspec.Descriptor) bool { return false }, 1)
	})
	r.t = t
	r.do("GET", "/v2/team/app/referrers/sha256:x", "").is(t, http.StatusBadRequest, distspec.CodeDigestInvalid)
	if got, _ := r.referrers(t, "/v2/team/other/referrers/"+d.String()); len(got) != 0 {
		t.Errorf("of another repository: got %v", got)
	}
	for key := range pushed {
		r.do("DELETE", "/v2/team/app/manifests/"+key, "").is(t, http.StatusAccepted)
		delete(pushed, key)
		break
	}
	t.Run("when one was deleted", func(t *testing.T) { check(t, "", all, 1) })
	r.t = t
	r.do("DELETE", "/v2/team/app/manifests/"+d.String(), "").is(t, http.StatusAccepted)
	t.Run("when the subject was deleted", func(t *testing.T) { check(t, "", all, 1) })
}

func TestReferrersThatDoNotFitOnAPageGoOnTheNext(t *testing.T) {
	r := newRig(t)
	r.pushBlob("team/app", "{}")
	subject := image("{}", nil, nil)
	long := strings.Repeat("x", 1<<20)
	for i := range 5 {
		r.putManifest("team/app", fmt.Sprintf("v%d", i), image("{}", nil, map[string]any{
			"subject": descriptor(distspec.MediaTypeManifest, subject), "annotations": map[string]string{"long": long, "i": strconv.Itoa(i)},
		})).is(t, http.StatusCreated)
	}
	got, pages := r.referrers(t, "/v2/team/app/referrers/"+digest.FromString(subject).String())
	if len(got) != 5 || pages != 2 {
		t.Errorf("got %d descriptors on %d pages, want 5 on 2", len(got), pages)
	}
}

func TestTheRootSaysThatThisIsARegistry(t *testing.T) {
	r := newRig(t)
	for _, path := range []string{"/v2/", "/v2"} {
		r.do("GET", path, "").is(t, http.StatusOK).has(t, "Docker-Distribution-API-Version", "registry/2.0")
		r.do("HEAD", path, "").is(t, http.StatusOK)
	}
	r.do("GET", "/v2/app/manifests/v1?ns=registry.internal", "").is(t, http.StatusNotFound).has(t, "OCI-Namespace", "registry.internal")
	r.do("GET", "/v2/team/app/whatever", "").is(t, http.StatusNotFound, distspec.CodeUnsupported)
	r.do("GET", "/v2/tags/list", "").is(t, http.StatusNotFound, distspec.CodeUnsupported)
	r.do("DELETE", "/v2/", "").is(t, http.StatusMethodNotAllowed).has(t, "Allow", "GET, HEAD")
}

func TestACanaryIsAnswered(t *testing.T) {
	name := config.CanaryName{Architecture: "amd64", Nonce: strings.Repeat("0a", 16)}
	image := config.NewCanaryImage("uid", name)
	at := "/v2/" + name.Repository()
	r := newRig(t, func(o *local.Options) { o.HubUID, o.Guard = "uid", access.Policy{} })
	if got := r.do("GET", at+"/manifests/"+config.CanaryTag, "").is(t, http.StatusOK); got.body != string(image.Manifest.Content) {
		t.Errorf("got %s", got.body)
	}
	r.do("HEAD", at+"/blobs/"+image.Layer.Digest, "").is(t, http.StatusOK).has(t, "Docker-Content-Digest", image.Layer.Digest)
	r.do("PUT", at+"/manifests/v1", "{}").is(t, http.StatusForbidden)
	newRig(t).do("GET", at+"/manifests/"+config.CanaryTag, "").is(t, http.StatusNotFound, distspec.CodeManifestUnknown)
}
