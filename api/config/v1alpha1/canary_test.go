package v1alpha1_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
)

const (
	hubUID = "4b3f8c1e-7a52-4d0e-9a57-2f8d7e1d6a11"
	nonce  = "000102030405060708090a0b0c0d0e0f"
)

// A proxy and an agent of two versions have to make the same image: what is pinned here changes with CanaryTag alone.
func TestACanaryIsTheSameInEveryVersion(t *testing.T) {
	t.Parallel()
	image := config.NewCanaryImage(hubUID, config.CanaryName{Architecture: "amd64", Nonce: nonce})
	want := []string{
		`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:23ac2c50c4a0cde0b9cd3cebdf5ce96be711efbcc1af717ea917c6a91db70cb7","size":264},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef","size":1024}]}`,
		`{"architecture":"amd64","os":"linux","config":{"Labels":{"io.registryhub.canary":"138232f7e6473cc7c99531c25c7768b91a1d42dcbbed2e151d8a3282578f1a8d"}},"rootfs":{"type":"layers","diff_ids":["sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"]}}`,
		strings.Repeat("\x00", 1024),
	}
	got := []string{string(image.Manifest.Content), string(image.Config.Content), string(image.Layer.Content)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the canary (-want +got):\n%s", diff)
	}
}

func TestACanaryIsOfItsHubAndItsNameAlone(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	cases := map[string]config.CanaryImage{
		"this one":             config.NewCanaryImage(hubUID, config.CanaryName{Architecture: "amd64", Nonce: nonce}),
		"another hub":          config.NewCanaryImage("other", config.CanaryName{Architecture: "amd64", Nonce: nonce}),
		"another nonce":        config.NewCanaryImage(hubUID, config.CanaryName{Architecture: "amd64", Nonce: strings.Repeat("f", 32)}),
		"another architecture": config.NewCanaryImage(hubUID, config.CanaryName{Architecture: "arm64", Nonce: nonce}),
	}
	for name, image := range cases {
		for _, digest := range []string{image.Manifest.Digest, image.Config.Digest} {
			if other, taken := seen[digest]; taken {
				t.Errorf("%s and %s share %s", name, other, digest)
			}
			seen[digest] = name
		}
		if strings.Contains(string(image.Config.Content), hubUID) {
			t.Errorf("%s: the image tells the hub's UID", name)
		}
	}
}

func TestTheBlobsOfACanary(t *testing.T) {
	t.Parallel()
	image := config.NewCanaryImage(hubUID, config.CanaryName{Architecture: "amd64", Nonce: nonce})
	for _, want := range []config.CanaryObject{image.Config, image.Layer} {
		if got, found := image.Blob(want.Digest); !found || got.MediaType != want.MediaType {
			t.Errorf("%s: got %v, %v", want.MediaType, got.MediaType, found)
		}
	}
	if _, found := image.Blob(image.Manifest.Digest); found {
		t.Error("a manifest is no blob")
	}
}

func TestParseCanaryRepository(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		repository string
		want       config.CanaryName
		canary     bool
	}{
		"a canary":                 {"registryhub.invalid/canary/arm64/" + nonce, config.CanaryName{Architecture: "arm64", Nonce: nonce}, true},
		"without an architecture":  {"registryhub.invalid/canary/" + nonce, config.CanaryName{}, false},
		"with a short nonce":       {"registryhub.invalid/canary/arm64/00", config.CanaryName{}, false},
		"with upper case":          {"registryhub.invalid/canary/arm64/" + strings.Repeat("F", 32), config.CanaryName{}, false},
		"with something behind":    {"registryhub.invalid/canary/arm64/" + nonce + "/x", config.CanaryName{}, false},
		"below another repository": {"library/registryhub.invalid/canary/arm64/" + nonce, config.CanaryName{}, false},
		"an image":                 {"library/nginx", config.CanaryName{}, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, canary := config.ParseCanaryRepository(tc.repository)
			if diff := cmp.Diff(tc.want, got); diff != "" || canary != tc.canary {
				t.Errorf("canary: %v, want %v; (-want +got):\n%s", canary, tc.canary, diff)
			}
			if canary && got.Repository() != tc.repository {
				t.Errorf("Repository: got %s, want %s", got.Repository(), tc.repository)
			}
		})
	}
}
