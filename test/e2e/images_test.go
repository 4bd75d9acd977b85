package e2e

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/registryhub/registryhub/hack/image/scratch"
)

// layerSize is large enough that a layer is streamed rather than answered in one piece.
const layerSize = 8 << 20

// images pushes images to the upstream that run for as long as they are let.
type images struct {
	pushAddress string
	program     string
}

func newImages(ctx context.Context, directory, pushAddress string) (*images, error) {
	program := filepath.Join(directory, "pause")
	build := exec.CommandContext(ctx, "go", "build", "-o", program, "github.com/registryhub/registryhub/hack/cluster/pause")
	build.Env = append(build.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building the program of the tests' images: %w: %s", err, out)
	}
	return &images{pushAddress: pushAddress, program: program}, nil
}

// push makes an image with two layers of its own and pushes it as repository:tag.
func (i *images) push(t *testing.T, repository, tag string) v1.Image {
	t.Helper()
	image := i.build(t)
	target, err := name.ParseReference(i.pushAddress+"/"+repository+":"+tag, name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(target, image, remote.WithContext(t.Context())); err != nil {
		t.Fatalf("pushing %s:%s to the upstream: %v", repository, tag, err)
	}
	return image
}

func (i *images) build(t *testing.T) v1.Image {
	t.Helper()
	image, err := scratch.Image(scratch.Spec{Binary: i.program, Path: "/pause", User: scratch.NonRoot, Architecture: runtime.GOARCH})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		layer, err := random.Layer(layerSize, types.DockerLayer)
		if err != nil {
			t.Fatal(err)
		}
		if image, err = mutate.AppendLayers(image, layer); err != nil {
			t.Fatal(err)
		}
	}
	return image
}

func digestOf(t *testing.T, image v1.Image) v1.Hash {
	t.Helper()
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

// ownLayers are the digests, in hexadecimal, of the layers that no other image has. That of the program a node may have from an
// earlier test, so that it does not pull it again.
func ownLayers(t *testing.T, image v1.Image) []string {
	t.Helper()
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, layer := range layers[1:] {
		digest, err := layer.Digest()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, strings.TrimPrefix(digest.String(), "sha256:"))
	}
	return all
}
