package origin

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Image is an image in a registry: an object for each of its descriptors.
type Image struct {
	// Repository and Tag that it was pushed to.
	Repository, Tag string
	// Root is what the tag names.
	Root ocispec.Descriptor
	// Descriptors of all that it consists of, the root first.
	Descriptors []ocispec.Descriptor
	// Content of each.
	Content map[digest.Digest][]byte
}

// PushImage pushes an image of layers of these sizes in bytes, whose content is a function of the seed.
func (r *Registry) PushImage(repository, tag string, seed uint64, sizes ...int) (*Image, error) {
	image := &Image{Repository: repository, Tag: tag, Content: map[digest.Digest][]byte{}}
	random := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16), byte(seed >> 24)})
	var layers []ocispec.Descriptor
	for _, size := range sizes {
		body := make([]byte, size)
		_, _ = random.Read(body) // never fails
		layers = append(layers, r.addBlob(image, ocispec.MediaTypeImageLayerGzip, body))
	}
	settings := fmt.Appendf(nil, `{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]},"comment":"%d %s"}`, seed, repository)
	manifest := ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		Config: r.addBlob(image, ocispec.MediaTypeImageConfig, settings), Layers: layers,
	}
	var err error
	image.Root, err = r.addManifest(image, ocispec.MediaTypeImageManifest, manifest, tag)
	return image, err
}

// PushIndex pushes an index of one image, under the image's tag; where the child is missing nobody has it any more.
func (r *Registry) PushIndex(image *Image, missingChild bool) error {
	child := image.Root
	child.Platform = &ocispec.Platform{Architecture: "amd64", OS: "linux"}
	index := ocispec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{child},
	}
	var err error
	if image.Root, err = r.addManifest(image, ocispec.MediaTypeImageIndex, index, image.Tag); err != nil || !missingChild {
		return err
	}
	return r.write(http.MethodDelete, "/v2/"+image.Repository+"/manifests/"+child.Digest.String(), "", nil)
}

func (r *Registry) addBlob(image *Image, mediaType string, body []byte) ocispec.Descriptor {
	d := ocispec.Descriptor{MediaType: mediaType, Digest: r.blobs.put(body), Size: int64(len(body))}
	image.Content[d.Digest] = body
	image.Descriptors = append(image.Descriptors, d)
	return d
}

func (r *Registry) addManifest(image *Image, mediaType string, manifest any, tag string) (ocispec.Descriptor, error) {
	body, err := json.Marshal(manifest)
	if err != nil {
		return ocispec.Descriptor{}, fmt.Errorf("writing a manifest: %w", err)
	}
	d := ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(body), Size: int64(len(body))}
	image.Content[d.Digest] = body
	image.Descriptors = append([]ocispec.Descriptor{d}, image.Descriptors...)
	for _, reference := range []string{d.Digest.String(), tag} {
		if err := r.write(http.MethodPut, "/v2/"+image.Repository+"/manifests/"+reference, mediaType, body); err != nil {
			return d, err
		}
	}
	return d, nil
}
