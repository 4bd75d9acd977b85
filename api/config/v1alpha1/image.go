package v1alpha1

import (
	"fmt"
	"regexp"
	"strings"
)

// Image is what an image reference names, as a container runtime understands it.
type Image struct {
	// Host of the registry, as ImageHost finds it.
	Host string
	// Repository on it. What has one segment on Docker Hub is below library/.
	Repository string
	// Tag, empty where there is a digest. Default: latest.
	Tag string
	// Digest, empty where there is none. A tag beside it says nothing.
	Digest string
}

// Of the specification's grammar (https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-manifests).
// A digest is of an algorithm that can be computed here.
var (
	imageRepository = regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`)
	imageTag        = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`)
	imageDigest     = regexp.MustCompile(`^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$`)
)

// maxRepository is the most characters of a repository and its host, which clients refuse to exceed.
const maxRepository = 255

// ParseImage reads an image reference as it stands in a Pod. The error names the field that it is from.
func ParseImage(field, reference string) (Image, error) {
	image := Image{Host: ImageHost(reference)}
	rest, digest, hasDigest := strings.Cut(image.without(reference), "@")
	repository, tag, hasTag := strings.Cut(rest, ":")
	switch {
	case hasDigest && !imageDigest.MatchString(digest):
		return Image{}, fmt.Errorf("%s: the digest of %q is none: it is sha256: and 64, or sha512: and 128 hexadecimal digits", field, reference)
	case hasTag && !imageTag.MatchString(tag):
		return Image{}, fmt.Errorf("%s: the tag of %q is none: it has at most 128 letters, digits, '_', '.' and '-'", field, reference)
	case !image.has(repository):
		return Image{}, fmt.Errorf("%s: %q is not an image's reference, such as docker.io/library/nginx:1.27", field, reference)
	}
	image.Repository, image.Tag, image.Digest = image.below(repository), tag, digest
	if !hasTag && !hasDigest {
		image.Tag = "latest"
	}
	if hasDigest {
		image.Tag = ""
	}
	return image, nil
}

// without is a reference without its host.
func (i Image) without(reference string) string {
	first, rest, found := strings.Cut(reference, "/")
	if found && (first == i.Host || first == "index.docker.io") {
		return rest
	}
	return reference
}

func (i Image) has(repository string) bool {
	return imageRepository.MatchString(repository) && len(i.Host)+1+len(repository) <= maxRepository
}

func (i Image) below(repository string) string {
	if i.Host == "docker.io" && !strings.Contains(repository, "/") {
		return "library/" + repository
	}
	return repository
}
