package v1alpha1

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
)

func TestParseImage(t *testing.T) {
	t.Parallel()
	digest := "sha256:" + strings.Repeat("0a", 32)
	for reference, want := range map[string]Image{
		"busybox":                                 {Host: "docker.io", Repository: "library/busybox", Tag: "latest"},
		"busybox:1.36":                            {Host: "docker.io", Repository: "library/busybox", Tag: "1.36"},
		"grafana/grafana:11":                      {Host: "docker.io", Repository: "grafana/grafana", Tag: "11"},
		"docker.io/busybox":                       {Host: "docker.io", Repository: "library/busybox", Tag: "latest"},
		"index.docker.io/library/busybox":         {Host: "docker.io", Repository: "library/busybox", Tag: "latest"},
		"registry.k8s.io/pause:3.10":              {Host: "registry.k8s.io", Repository: "pause", Tag: "3.10"},
		"registry.example.com:5000/team/app":      {Host: "registry.example.com:5000", Repository: "team/app", Tag: "latest"},
		"localhost/app:v1":                        {Host: "localhost", Repository: "app", Tag: "v1"},
		"[fd00::1]:5000/team/app":                 {Host: "[fd00::1]:5000", Repository: "team/app", Tag: "latest"},
		"quay.io/cilium/cilium@" + digest:         {Host: "quay.io", Repository: "cilium/cilium", Digest: digest},
		"quay.io/cilium/cilium:v1.2.3@" + digest:  {Host: "quay.io", Repository: "cilium/cilium", Digest: digest},
		"quay.io/a__b/c-d.e:_" + "x":              {Host: "quay.io", Repository: "a__b/c-d.e", Tag: "_x"},
		"gcr.io/a/sha512@sha512:" + twice(digest): {Host: "gcr.io", Repository: "a/sha512", Digest: "sha512:" + twice(digest)},
	} {
		got, err := ParseImage("images[0]", reference)
		if err != nil {
			t.Errorf("%q: %v", reference, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", reference, diff)
		}
	}
}

// twice is a digest of twice the length, without its algorithm.
func twice(digest string) string {
	_, hexadecimal, _ := strings.Cut(digest, ":")
	return hexadecimal + hexadecimal
}

func TestWhatIsNoImageIsRefused(t *testing.T) {
	t.Parallel()
	for reference, want := range map[string]string{
		"":                               "is not an image's reference",
		"docker.io/":                     "is not an image's reference",
		"quay.io/Team/app":               "is not an image's reference",
		"quay.io/team//app":              "is not an image's reference",
		"https://quay.io/team/app":       "is not an image's reference",
		"quay.io/team/app:":              "the tag of",
		"quay.io/team/app:a b":           "the tag of",
		"quay.io/team/app@sha256:0a":     "the digest of",
		"quay.io/" + longName():          "is not an image's reference",
		"quay.io/team/app@md5:0a0a0a0a":  "the digest of",
		"quay.io/../../etc/passwd:1":     "is not an image's reference",
		"quay.io/team/app:1@sha256:zz\n": "the digest of",
	} {
		_, err := ParseImage("spec.mirror.prewarm.images[3]", reference)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "spec.mirror.prewarm.images[3]: ") {
			t.Errorf("%q: the error is %v, want one of the field that says %q", reference, err, want)
		}
	}
}

func longName() string { return strings.Repeat("a", maxRepository) }

// FuzzParseImage holds what is taken to what go-containerregistry makes of it.
func FuzzParseImage(f *testing.F) {
	for _, seed := range []string{"busybox", "quay.io/a/b:c", "localhost:5000/a@sha256:" + strings.Repeat("0", 64), "[::1]:80/a", "a/b/c:d@e"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, reference string) {
		image, err := ParseImage("images[0]", reference)
		if err != nil {
			return
		}
		parsed, err := name.ParseReference(reference)
		if err != nil {
			return // it is stricter about hosts
		}
		if got := parsed.Context().RepositoryStr(); got != image.Repository {
			t.Errorf("the repository of %q is %q, want %q", reference, image.Repository, got)
		}
		if got := parsed.Identifier(); got != image.Tag+image.Digest {
			t.Errorf("%q names %q, want %q", reference, image.Tag+image.Digest, got)
		}
	})
}
