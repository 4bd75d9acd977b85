package local_test

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/distspec"
	"github.com/registryhub/registryhub/proxy/local"
	"github.com/registryhub/registryhub/proxy/store"
)

func TestAManifestIsServedAsItWasPushed(t *testing.T) {
	r := newRig(t)
	r.pushBlob("team/app", "{}")
	odd := "{ \"schemaVersion\": 2,\n\t\"config\": " + encode(descriptor("application/vnd.oci.image.config.v1+json", "{}")) + ", \"layers\": [ ] }\n"
	for _, reference := range []string{"v1.0.0", digest.FromString(odd).String(), digest.SHA512.FromString(odd).String()} {
		t.Run(reference, func(t *testing.T) {
			r.t = t
			want := digest.FromString(odd)
			if strings.HasPrefix(reference, "sha512:") {
				want = digest.Digest(reference)
			}
			at := r.do("PUT", "/v2/team/app/manifests/"+reference, odd, "Content-Type: "+distspec.MediaTypeManifest+"; charset=utf-8").
				is(t, http.StatusCreated).has(t, "Docker-Content-Digest", want.String()).location(t)
			for _, path := range []string{at, "/v2/team/app/manifests/" + reference, "/v2/team/app/manifests/" + want.String()} {
				got := r.do("GET", path, "").is(t, http.StatusOK).has(t, "Docker-Content-Digest", want.String()).has(t, "Content-Type", distspec.MediaTypeManifest)
				if got.body != odd {
					t.Errorf("%s: got %q, want %q", path, got.body, odd)
				}
				head := r.do("HEAD", path, "").is(t, http.StatusOK).has(t, "Docker-Content-Digest", want.String()).
					has(t, "Content-Type", distspec.MediaTypeManifest).has(t, "Content-Length", got.Header.Get("Content-Length"))
				if head.body != "" {
					t.Errorf("the answer to HEAD has a body of %d bytes", len(head.body))
				}
			}
		})
	}
}

func TestManifestsOfEveryKindAreTaken(t *testing.T) {
	config, layer := descriptor("application/vnd.docker.container.image.v1+json", "{}"), descriptor("application/vnd.docker.image.rootfs.diff.tar.gzip", "layer")
	child := image("{}", []string{"layer"}, nil)
	index := func(mediaType string, children ...any) string {
		return encode(map[string]any{"schemaVersion": 2, "mediaType": mediaType, "manifests": append([]any{}, children...)})
	}
	inner := index(distspec.MediaTypeIndex, descriptor(distspec.MediaTypeManifest, child))
	foreign := descriptor("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "is elsewhere")
	foreign["urls"] = []string{"https://example.com/layer"}
	tests := map[string]struct{ mediaType, body string }{
		"an image of OCI":                    {distspec.MediaTypeManifest, child},
		"an image of Docker":                 {distspec.MediaTypeDockerManifest, encode(map[string]any{"schemaVersion": 2, "mediaType": distspec.MediaTypeDockerManifest, "config": config, "layers": []any{layer, layer}})},
		"a list of Docker":                   {distspec.MediaTypeDockerList, index(distspec.MediaTypeDockerList, descriptor(distspec.MediaTypeManifest, child))},
		"an index":                           {distspec.MediaTypeIndex, inner},
		"an index of nothing":                {distspec.MediaTypeIndex, index(distspec.MediaTypeIndex)},
		"an index of indexes":                {distspec.MediaTypeIndex, index(distspec.MediaTypeIndex, descriptor(distspec.MediaTypeIndex, inner), descriptor(distspec.MediaTypeManifest, child))},
		"an artifact":                        {distspec.MediaTypeManifest, image("{}", []string{"layer"}, map[string]any{"artifactType": "application/vnd.example"})},
		"an image without layers":            {distspec.MediaTypeManifest, image("{}", nil, nil)},
		"a layer that is somewhere else":     {distspec.MediaTypeDockerManifest, encode(map[string]any{"schemaVersion": 2, "config": config, "layers": []any{foreign}})},
		"one that alone says what it is":     {"", child},
		"one that nothing says what it is":   {"", encode(map[string]any{"schemaVersion": 2, "config": config, "layers": []any{layer}})},
		"an index that nothing says it is":   {"", encode(map[string]any{"schemaVersion": 2, "manifests": []any{}})},
		"one with members that nobody knows": {distspec.MediaTypeManifest, image("{}", nil, map[string]any{"com.example": map[string]any{"a": 1}})},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.pushBlob("app", "{}")
			r.pushBlob("app", "layer")
			r.putManifest("app", digest.FromString(child).String(), child).is(t, http.StatusCreated)
			r.do("PUT", "/v2/app/manifests/inner", inner, "Content-Type: "+distspec.MediaTypeIndex).is(t, http.StatusCreated)
			header := "Content-Type: " + tc.mediaType
			if tc.mediaType == "" {
				header = "X: y"
			}
			r.do("PUT", "/v2/app/manifests/v1", tc.body, header).is(t, http.StatusCreated)
			if got := r.do("GET", "/v2/app/manifests/v1", "").is(t, http.StatusOK); got.body != tc.body || tc.mediaType != "" && got.Header.Get("Content-Type") != tc.mediaType {
				t.Errorf("got %s %s", got.Header.Get("Content-Type"), got.body)
			}
		})
	}
}

func TestWhatIsWrongWithAManifestIsSaid(t *testing.T) {
	valid := image("{}", []string{"layer"}, nil)
	missing := image("{}", []string{"layer", "missing"}, nil)
	index := func(child string) string {
		return encode(map[string]any{"schemaVersion": 2, "mediaType": distspec.MediaTypeIndex, "manifests": []any{descriptor(distspec.MediaTypeManifest, child)}})
	}
	tests := map[string]struct {
		reference, mediaType, body string
		status                     int
		code                       distspec.Code
	}{
		"no JSON":                         {"v1", distspec.MediaTypeManifest, "blabla", 400, distspec.CodeManifestInvalid},
		"nothing":                         {"v1", distspec.MediaTypeManifest, "", 400, distspec.CodeManifestInvalid},
		"JSON of something else":          {"v1", distspec.MediaTypeManifest, "[]", 400, distspec.CodeManifestInvalid},
		"an empty object":                 {"v1", distspec.MediaTypeManifest, "{}", 400, distspec.CodeManifestInvalid},
		"JSON with something behind it":   {"v1", distspec.MediaTypeManifest, valid + "{}", 400, distspec.CodeManifestInvalid},
		"two media types":                 {"v1", distspec.MediaTypeDockerManifest, valid, 400, distspec.CodeManifestInvalid},
		"a Content-Type of nothing known": {"v1", "application/x-unknown", image("{}", nil, map[string]any{"mediaType": "application/x-unknown"}), 400, distspec.CodeManifestInvalid},
		"a Content-Type that is none":     {"v1", ";;", valid, 400, distspec.CodeManifestInvalid},
		"an image that is an index too":   {"v1", distspec.MediaTypeManifest, image("{}", nil, map[string]any{"manifests": []any{}}), 400, distspec.CodeManifestInvalid},
		"a malformed digest in it":        {"v1", distspec.MediaTypeManifest, strings.Replace(valid, "sha256:", "sha256:x", 1), 400, distspec.CodeManifestInvalid},
		"another schema":                  {"v1", distspec.MediaTypeManifest, strings.Replace(valid, `"schemaVersion":2`, `"schemaVersion":1`, 1), 400, distspec.CodeManifestInvalid},
		"another digest":                  {digest.FromString("other").String(), distspec.MediaTypeManifest, valid, 400, distspec.CodeDigestInvalid},
		"a malformed digest":              {"sha256:abc", distspec.MediaTypeManifest, valid, 400, distspec.CodeDigestInvalid},
		"a blob that is missing":          {"v1", distspec.MediaTypeManifest, missing, 404, distspec.CodeManifestBlobUnknown},
		"a manifest that is missing":      {"v1", distspec.MediaTypeIndex, index("missing"), 404, distspec.CodeManifestBlobUnknown},
		"more bytes than it may have":     {"v1", distspec.MediaTypeManifest, valid + strings.Repeat(" ", distspec.MaxManifestSize), 413, distspec.CodeSizeInvalid},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.pushBlob("app", "{}")
			r.pushBlob("app", "layer")
			r.do("PUT", "/v2/app/manifests/"+tc.reference, tc.body, "Content-Type: "+tc.mediaType).is(t, tc.status, tc.code)
			r.do("GET", "/v2/app/manifests/v1", "").is(t, http.StatusNotFound, distspec.CodeManifestUnknown)
			if tags := r.do("GET", "/v2/app/tags/list", "").is(t, http.StatusOK); !strings.Contains(tags.body, `"tags":[]`) {
				t.Errorf("after it was refused: %s", tags.body)
			}
		})
	}
}

func TestAManifestOfTheMostBytesIsTaken(t *testing.T) {
	r := newRig(t)
	r.pushBlob("app", "{}")
	manifest := image("{}", nil, nil)
	manifest += strings.Repeat(" ", distspec.MaxManifestSize-len(manifest))
	r.putManifest("app", "v1", manifest).is(t, http.StatusCreated)
	r.do("GET", "/v2/app/manifests/v1", "").is(t, http.StatusOK).has(t, "Docker-Content-Digest", digest.FromString(manifest).String())
}

func TestABlobOfAnotherRepositoryIsNotThere(t *testing.T) {
	r := newRig(t)
	manifest := r.pushImage("team/a", "v1", "one", nil)
	r.do("GET", "/v2/team/b/blobs/"+digest.FromString("layer of one").String(), "").is(t, http.StatusNotFound, distspec.CodeBlobUnknown)
	r.do("GET", "/v2/team/b/manifests/"+digest.FromString(manifest).String(), "").is(t, http.StatusNotFound, distspec.CodeManifestUnknown)
	r.putManifest("team/b", "v1", manifest).is(t, http.StatusNotFound, distspec.CodeManifestBlobUnknown)
}

func TestATagMoves(t *testing.T) {
	r := newRig(t)
	first := r.pushImage("app", "v1", "one", nil)
	second := r.pushImage("app", "v1", "two", nil)
	if got := r.do("GET", "/v2/app/manifests/v1", "").is(t, http.StatusOK); got.body != second {
		t.Errorf("got %s, want %s", got.body, second)
	}
	r.do("GET", "/v2/app/manifests/"+digest.FromString(first).String(), "").is(t, http.StatusOK)
}

func TestPartsOfABlobAreServed(t *testing.T) {
	r := newRig(t)
	at := "/v2/app/blobs/" + r.pushBlob("app", content).String()
	if got := r.do("GET", at, "", "Range: bytes=4-10").is(t, http.StatusPartialContent).has(t, "Content-Range", "bytes 4-10/21"); got.body != content[4:11] {
		t.Errorf("got %q, want %q", got.body, content[4:11])
	}
	r.do("GET", at, "", "Range: bytes=21-").is(t, http.StatusRequestedRangeNotSatisfiable)
	r.do("HEAD", at, "").is(t, http.StatusOK).has(t, "Content-Length", "21").has(t, "Docker-Content-Digest", digest.FromString(content).String())
}

func TestAManifestIsGivenTagsByItsDigest(t *testing.T) {
	r := newRig(t)
	r.pushBlob("app", "{}")
	for _, algorithm := range []digest.Algorithm{digest.SHA256, digest.SHA512} {
		manifest := image("{}", nil, map[string]any{"annotations": map[string]string{"a": algorithm.String()}})
		d := algorithm.FromString(manifest).String()
		one, two := "one-"+algorithm.String(), "two-"+algorithm.String()
		pushed := r.putManifest("app", d+"?tag="+one+"&tag="+two, manifest).is(t, http.StatusCreated)
		if diff := cmp.Diff([]string{one, two}, pushed.Header.Values(distspec.HeaderTag)); diff != "" {
			t.Errorf("tags (-want +got):\n%s", diff)
		}
		for _, tag := range []string{one, two} {
			r.do("GET", "/v2/app/manifests/"+tag, "").is(t, http.StatusOK).has(t, "Docker-Content-Digest", d)
		}
	}
	manifest := image("{}", nil, nil)
	d := digest.FromString(manifest).String()
	r.putManifest("app", d+"?tag=.x", manifest).is(t, http.StatusBadRequest)
	r.putManifest("app", d+"?"+strings.Repeat("tag=x&", distspec.MaxTags+1), manifest).is(t, http.StatusBadRequest)
	r.do("GET", "/v2/app/manifests/"+d, "").is(t, http.StatusNotFound)
}

func TestAnImmutableTagIsGivenOnce(t *testing.T) {
	r := newRig(t, withRules(local.Rules{Immutable: []*regexp.Regexp{regexp.MustCompile(`^(?:team/.*:v[0-9.]+)$`)}}))
	one := r.pushImage("team/app", "v1.0", "one", nil)
	r.putManifest("team/app", "v1.0", one).is(t, http.StatusCreated)
	r.pushBlob("team/app", "{}")
	two := image("{}", nil, nil)
	refused := r.putManifest("team/app", "v1.0", two).is(t, http.StatusConflict, distspec.CodeDenied)
	if !strings.Contains(refused.body, digest.FromString(one).String()) {
		t.Errorf("it is not said what the tag names: %s", refused.body)
	}
	r.do("GET", "/v2/team/app/manifests/"+digest.FromString(two).String(), "").is(t, http.StatusNotFound)
	r.putManifest("team/app", digest.FromString(two).String()+"?tag=v1.0", two).is(t, http.StatusConflict, distspec.CodeDenied)
	if got := r.do("GET", "/v2/team/app/manifests/v1.0", "").is(t, http.StatusOK); got.body != one {
		t.Errorf("got %s", got.body)
	}
	r.putManifest("team/app", "latest", one).is(t, http.StatusCreated)
	r.putManifest("team/app", "latest", two).is(t, http.StatusCreated)
	r.do("DELETE", "/v2/team/app/manifests/v1.0", "").is(t, http.StatusAccepted)
	r.putManifest("team/app", "v1.0", two).is(t, http.StatusCreated)
}

func TestAManifestMayBeSparseWhereThatIsSaid(t *testing.T) {
	index := encode(map[string]any{"schemaVersion": 2, "mediaType": distspec.MediaTypeIndex, "manifests": []any{descriptor(distspec.MediaTypeManifest, "missing")}})
	for sparse, want := range map[bool]int{true: http.StatusCreated, false: http.StatusNotFound} {
		r := newRig(t, withRules(local.Rules{Sparse: sparse}))
		r.do("PUT", "/v2/app/manifests/v1", index, "Content-Type: "+distspec.MediaTypeIndex).is(t, want)
		r.putManifest("app", "v2", image("{}", []string{"layer"}, nil)).is(t, want)
	}
}

// located is a store whose objects are somewhere else.
type located struct{ store.Registry }

type locatedObject struct{ store.Object }

func (locatedObject) Location(context.Context) (string, error) {
	return "https://bucket.example/object", nil
}

func (l located) Open(ctx context.Context, d digest.Digest) (store.Object, error) {
	object, err := l.Registry.Open(ctx, d)
	return locatedObject{object}, err
}

func TestAClientIsSentToWhereABlobIs(t *testing.T) {
	r := newRig(t, func(o *local.Options) { o.Store = located{o.Store.(store.Registry)} })
	at := "/v2/app/blobs/" + r.pushBlob("app", content).String()
	r.do("GET", at, "").is(t, http.StatusTemporaryRedirect).has(t, "Location", "https://bucket.example/object")
	r.do("HEAD", at, "").is(t, http.StatusOK).has(t, "Content-Length", "21")
	r.do("GET", "/v2/app/blobs/"+digest.FromString("none").String(), "").is(t, http.StatusNotFound)
}
