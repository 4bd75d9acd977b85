package upstream

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/distspec"
)

func TestManifestByTagAndDigest(t *testing.T) {
	server, _ := serve(t, realRegistry(t, "team/app"))
	c := client(t, server.URL)
	want := Manifest{Descriptor{manifestType, manifestDigest, int64(len(manifestJSON))}, []byte(manifestJSON)}
	for _, reference := range []string{"v1", manifestDigest.String()} {
		got, err := c.Manifest(t.Context(), "team/app", tagged(t, reference))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", reference, diff)
		}
		head, err := c.ManifestHead(t.Context(), "team/app", tagged(t, reference))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.Descriptor, head); diff != "" {
			t.Errorf("HEAD of %s (-want +got)\n%s", reference, diff)
		}
	}
}

func TestManifestThatIsNotThere(t *testing.T) {
	server, _ := serve(t, realRegistry(t, "team/app"))
	_, err := client(t, server.URL).Manifest(t.Context(), "team/app", tagged(t, "v2"))
	if !IsNotFound(err) || IsUnavailable(err) || IsUnauthorized(err) || Status(err) != http.StatusNotFound {
		t.Errorf("got %v, want it not found", err)
	}
	if want := "/v2/team/app/manifests/v2: the answer is 404 Not Found (MANIFEST_UNKNOWN)"; !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got %q, want it to end in %q", err, want)
	}
}

func TestManifestAsksForEveryTypeAndNoEncoding(t *testing.T) {
	var accept, encoding string
	server, _ := serveFunc(t, func(w http.ResponseWriter, r *http.Request) {
		accept, encoding = r.Header.Get("Accept"), r.Header.Get("Accept-Encoding")
		_, _ = w.Write([]byte(manifestJSON))
	})
	if _, err := client(t, server.URL).Manifest(t.Context(), "a", tagged(t, "v1")); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"oci.image.index.v1+json", "oci.image.manifest.v1+json", "docker.distribution.manifest.list.v2+json", "docker.distribution.manifest.v2+json"} {
		if !strings.Contains(accept, want) {
			t.Errorf("Accept %q lacks %s", accept, want)
		}
	}
	if encoding != "identity" {
		t.Errorf("got Accept-Encoding %q", encoding)
	}
}

func TestManifestAnswers(t *testing.T) {
	other := digest.FromString("other")
	sha512 := digest.SHA512.FromString(manifestJSON)
	full := manifestJSON + strings.Repeat(" ", MaxManifestSize-len(manifestJSON))
	tests := map[string]struct {
		reference   string
		contentType string
		said        string
		body        string
		want        Descriptor
		wantInvalid bool
	}{
		"a tag with no digest said":              {"v1", manifestType, "", manifestJSON, Descriptor{manifestType, manifestDigest, int64(len(manifestJSON))}, false},
		"a tag with a digest of sha512":          {"v1", manifestType, sha512.String(), manifestJSON, Descriptor{manifestType, sha512, int64(len(manifestJSON))}, false},
		"a malformed digest said":                {"v1", manifestType, "sha256:x", manifestJSON, Descriptor{manifestType, manifestDigest, int64(len(manifestJSON))}, false},
		"a media type with parameters":           {"v1", manifestType + "; charset=utf-8", "", manifestJSON, Descriptor{manifestType, manifestDigest, int64(len(manifestJSON))}, false},
		"a media type of no use":                 {"v1", "application/octet-stream", "", manifestJSON, Descriptor{manifestType, manifestDigest, int64(len(manifestJSON))}, false},
		"a tag with bytes of another digest":     {"v1", manifestType, other.String(), manifestJSON, Descriptor{}, true},
		"a digest with bytes of another":         {other.String(), manifestType, "", manifestJSON, Descriptor{}, true},
		"a digest that the upstream vouches for": {other.String(), manifestType, other.String(), manifestJSON, Descriptor{}, true},
		"one byte too many":                      {"v1", manifestType, "", full + " ", Descriptor{}, true},
		"as many bytes as may be":                {"v1", manifestType, "", full, Descriptor{manifestType, digest.FromString(full), MaxManifestSize}, false},
		"a page to sign in":                      {"v1", "text/html", "", "<html>sign in</html>", Descriptor{}, true},
		"an error that is called success":        {"v1", manifestType, "", `{"errors":[{"code":"DENIED"}]}`, Descriptor{}, true},
		"a list":                                 {"v1", manifestType, "", "[]", Descriptor{}, true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			server, _ := serveFunc(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", tc.contentType)
				w.Header().Set("Docker-Content-Digest", tc.said)
				_, _ = w.Write([]byte(tc.body))
			})
			got, err := client(t, server.URL).Manifest(t.Context(), "a", tagged(t, tc.reference))
			if IsInvalidResponse(err) != tc.wantInvalid || (err != nil) != tc.wantInvalid {
				t.Fatalf("got the error %v", err)
			}
			if diff := cmp.Diff(tc.want, got.Descriptor); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestManifestOfEndlessBytesIsRefused(t *testing.T) {
	server, _ := serveFunc(t, func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	})
	if _, err := client(t, server.URL).Manifest(t.Context(), "a", tagged(t, "v1")); !IsInvalidResponse(err) {
		t.Errorf("got %v, want it refused", err)
	}
}

func TestManifestHeadThatSaysLittle(t *testing.T) {
	tests := map[string]struct {
		status  int
		said    string
		want    Descriptor
		invalid bool
	}{
		"no digest":      {200, "", Descriptor{Size: 7}, false},
		"HEAD unknown":   {405, "", Descriptor{Size: -1}, false},
		"another digest": {200, digest.FromString("other").String(), Descriptor{}, true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			server, _ := serveFunc(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Docker-Content-Digest", tc.said)
				w.Header().Set("Content-Length", "7")
				w.WriteHeader(tc.status)
			})
			reference := tagged(t, "v1")
			if tc.invalid {
				reference = distspec.DigestReference(manifestDigest)
			}
			got, err := client(t, server.URL).ManifestHead(t.Context(), "a", reference)
			if IsInvalidResponse(err) != tc.invalid || got != tc.want {
				t.Errorf("got %+v, %v; want %+v", got, err, tc.want)
			}
		})
	}
}
