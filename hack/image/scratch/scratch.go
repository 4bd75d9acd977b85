// Package scratch builds container images that hold one static binary and what it needs around it:
// CA roots, a passwd file and a writable /tmp. No container engine and no base image is involved, and
// the result depends on nothing but its [Spec] and the binary's bytes.
package scratch

import (
	"bytes"
	"fmt"
	"io"
	"os"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// NonRoot is the user and group of the nonroot entry in the image's passwd file, the number that
// distroless images use too. It is numeric so that kubelet can check runAsNonRoot.
const NonRoot = "65532:65532"

// Spec says what goes into an image.
type Spec struct {
	// Binary is the file to pack. It must be static: the image has no loader and no libc.
	Binary string
	// Path is where the binary is in the image, for example /registryhub; it is the entrypoint.
	Path string
	// User is the "uid:gid" the image runs as.
	User string
	// Architecture is the GOARCH the binary was built for.
	Architecture string
}

// Image builds the image of spec, with a single layer.
func Image(spec Spec) (v1.Image, error) {
	binary, err := os.ReadFile(spec.Binary)
	if err != nil {
		return nil, fmt.Errorf("reading the binary to pack: %w", err)
	}
	content, err := layerTar(spec.Path, binary)
	if err != nil {
		return nil, fmt.Errorf("packing %s: %w", spec.Binary, err)
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content)), nil
	})
	if err != nil {
		return nil, fmt.Errorf("making a layer of %s: %w", spec.Binary, err)
	}
	image, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return nil, fmt.Errorf("appending the layer of %s: %w", spec.Binary, err)
	}
	return configured(image, spec)
}

// configured returns image with the configuration that spec asks for.
func configured(image v1.Image, spec Spec) (v1.Image, error) {
	file, err := image.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("reading the image's configuration: %w", err)
	}
	file = file.DeepCopy()
	file.OS = "linux"
	file.Architecture = spec.Architecture
	file.Created = v1.Time{Time: fixedTime}
	for i := range file.History {
		file.History[i].Created = v1.Time{Time: fixedTime}
	}
	file.Config = v1.Config{
		Entrypoint: []string{spec.Path},
		User:       spec.User,
		WorkingDir: "/",
		Env:        []string{"PATH=/"},
	}
	return mutate.ConfigFile(image, file)
}

// WriteFile builds the image of spec and writes it to output as an archive that `ctr images import`
// and `docker load` read, under tag. It returns the image's manifest digest.
func WriteFile(spec Spec, tag, output string) (v1.Hash, error) {
	reference, err := name.NewTag(tag)
	if err != nil {
		return v1.Hash{}, fmt.Errorf("tag %q is not an image reference such as registryhub.local/registryhub:dev: %w", tag, err)
	}
	image, err := Image(spec)
	if err != nil {
		return v1.Hash{}, err
	}
	if err := tarball.WriteToFile(output, reference, image); err != nil {
		return v1.Hash{}, fmt.Errorf("writing %s: %w", output, err)
	}
	return image.Digest()
}
