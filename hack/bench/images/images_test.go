package images

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
)

func TestAnImageIsAFunctionOfItsName(t *testing.T) {
	t.Parallel()
	first, second := Tree{t.TempDir()}, Tree{t.TempDir()}
	one, err := first.Image("a", 100, 200)
	if err != nil {
		t.Fatal(err)
	}
	for name, tree := range map[string]Tree{"made elsewhere": second, "read again": first} {
		same, err := tree.Image("a", 100, 200)
		if diff := cmp.Diff(one, same); diff != "" || err != nil {
			t.Errorf("%s (%v) (-want +got):\n%s", name, err, diff)
		}
	}
	other, err := first.Image("b", 100, 200)
	if err != nil || other.Layers()[0].Digest == one.Layers()[0].Digest {
		t.Errorf("images of different names share a layer (%v)", err)
	}
}

func TestObjectsAreWhatTheirNamesSay(t *testing.T) {
	t.Parallel()
	tree := Tree{t.TempDir()}
	image, err := tree.Image("a", 100, 200)
	if err != nil {
		t.Fatal(err)
	}
	paths := map[string]Blob{image.ManifestPath(): image.Manifest, image.TagPath(): image.Manifest}
	for _, blob := range image.Blobs {
		paths[image.BlobPath(blob)] = blob
	}
	for path, blob := range paths {
		body, err := os.ReadFile(filepath.Join(tree.Directory, path))
		if err != nil || digest.FromBytes(body) != blob.Digest || int64(len(body)) != blob.Size {
			t.Errorf("%s holds %d bytes of %s (%v), want %d of %s", path, len(body), digest.FromBytes(body), err, blob.Size, blob.Digest)
		}
	}
}
