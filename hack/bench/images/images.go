// Package images makes the synthetic images of the benchmarks: a function of their names, so that every run has the same
// bytes and digests.
package images

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"
)

// MediaType of every manifest.
const MediaType = "application/vnd.oci.image.manifest.v1+json"

// Tag of every image.
const Tag = "v1"

// Blob is a config, a layer or a manifest.
type Blob struct {
	MediaType string        `json:"mediaType"`
	Digest    digest.Digest `json:"digest"`
	Size      int64         `json:"size"`
}

// Image is a manifest, and what it names.
type Image struct {
	// Repository without a host, and the path that the API has it below.
	Repository string
	// Manifest as it is named by its digest.
	Manifest Blob
	// Blobs are the config, which is small, and the layers.
	Blobs []Blob
}

// Layers are the blobs but for the config.
func (i Image) Layers() []Blob { return i.Blobs[1:] }

// Size of the manifest and all blobs, in bytes.
func (i Image) Size() int64 {
	size := i.Manifest.Size
	for _, blob := range i.Blobs {
		size += blob.Size
	}
	return size
}

// TagPath is where the manifest is by its tag, ManifestPath where it is by its digest, BlobPath where a blob is.
func (i Image) TagPath() string { return i.base() + "/manifests/" + Tag }

// ManifestPath is the manifest by its digest.
func (i Image) ManifestPath() string { return i.base() + "/manifests/" + i.Manifest.Digest.String() }

// BlobPath is a blob's.
func (i Image) BlobPath(blob Blob) string { return i.base() + "/blobs/" + blob.Digest.String() }

func (i Image) base() string { return "/v2/" + i.Repository }

// Tree is a directory in which each object is a file at the path that the distribution API gives it.
type Tree struct{ Directory string }

// manifest is an OCI image manifest.
type manifest struct {
	SchemaVersion int    `json:"schemaVersion"`
	MediaType     string `json:"mediaType"`
	Config        Blob   `json:"config"`
	Layers        []Blob `json:"layers"`
}

// Image returns the image of that name with layers of those sizes. It is made unless the tree has it.
func (t Tree) Image(name string, layers ...int64) (Image, error) {
	image := Image{Repository: "bench/" + name}
	if body, err := os.ReadFile(t.file(image.TagPath())); err == nil {
		return image.read(body)
	}
	if err := t.fill(&image, layers); err != nil {
		return Image{}, fmt.Errorf("making the image %s: %w", image.Repository, err)
	}
	return image, nil
}

func (i Image) read(body []byte) (Image, error) {
	var m manifest
	if err := json.Unmarshal(body, &m); err != nil {
		return Image{}, fmt.Errorf("reading the manifest of %s: %w: delete the tree", i.Repository, err)
	}
	i.Manifest = Blob{MediaType: MediaType, Digest: digest.FromBytes(body), Size: int64(len(body))}
	i.Blobs = append([]Blob{m.Config}, m.Layers...)
	return i, nil
}

// fill writes the blobs, then the manifest, and its tag last: an image whose tag is there is whole.
func (t Tree) fill(image *Image, layers []int64) error {
	for _, kind := range []string{"blobs", "manifests"} {
		if err := os.MkdirAll(t.file(image.base()+"/"+kind), 0o755); err != nil {
			return err
		}
	}
	m := manifest{SchemaVersion: 2, MediaType: MediaType}
	var err error
	if m.Config, err = t.config(*image); err != nil {
		return err
	}
	for n, size := range layers {
		layer, err := t.layer(*image, n, size)
		if err != nil {
			return err
		}
		m.Layers = append(m.Layers, layer)
	}
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if *image, err = image.read(body); err != nil {
		return err
	}
	return errors.Join(t.write(image.ManifestPath(), body), t.write(image.TagPath(), body))
}

func (t Tree) config(image Image) (Blob, error) {
	body := fmt.Appendf(nil, `{"architecture":"amd64","os":"linux","author":%q}`, image.Repository)
	blob := Blob{MediaType: "application/vnd.oci.image.config.v1+json", Digest: digest.FromBytes(body), Size: int64(len(body))}
	return blob, t.write(image.BlobPath(blob), body)
}

// layer writes a layer under a passing name, since its digest is known when it is written.
func (t Tree) layer(image Image, n int, size int64) (Blob, error) {
	passing := t.file(image.base() + "/passing")
	file, err := os.Create(passing)
	if err != nil {
		return Blob{}, err
	}
	digester := digest.Canonical.Digester()
	seed := sha256.Sum256(fmt.Appendf(nil, "%s %d", image.Repository, n))
	_, err = io.CopyN(io.MultiWriter(file, digester.Hash()), rand.NewChaCha8(seed), size)
	if err = errors.Join(err, file.Close()); err != nil {
		return Blob{}, err
	}
	blob := Blob{MediaType: "application/vnd.oci.image.layer.v1.tar", Digest: digester.Digest(), Size: size}
	return blob, os.Rename(passing, t.file(image.BlobPath(blob)))
}

func (t Tree) write(path string, body []byte) error { return os.WriteFile(t.file(path), body, 0o644) }

func (t Tree) file(path string) string { return filepath.Join(t.Directory, filepath.FromSlash(path)) }
