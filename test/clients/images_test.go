package clients

import (
	"archive/tar"
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/google/go-containerregistry/pkg/compression"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// otherArchitecture is none that tests are run on.
const otherArchitecture = "s390x"

// index writes an index of two platforms as an OCI layout, and returns its directory and digest. The image of this
// machine's has layers of gzip and of zstd, the other one that is not to be pushed: it is had elsewhere.
func index(t *testing.T) (dir, digest string) {
	t.Helper()
	ours := platformImage(t, runtime.GOARCH,
		addendum(t, "gzip", types.OCILayer), addendum(t, "zstd", types.OCILayerZStd, tarball.WithCompression(compression.ZStd)))
	other := platformImage(t, otherArchitecture, addendum(t, "other", types.OCILayer), elsewhere(t))
	made := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex),
		mutate.IndexAddendum{Add: ours, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: runtime.GOARCH}}},
		mutate.IndexAddendum{Add: other, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: otherArchitecture}}})
	dir = t.TempDir()
	path, err := layout.Write(dir, empty.Index)
	must(t, err)
	must(t, path.AppendIndex(made, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": "v1"})))
	d, err := made.Digest()
	must(t, err)
	return dir, d.String()
}

func platformImage(t *testing.T, architecture string, layers ...mutate.Addendum) v1.Image {
	t.Helper()
	made, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: architecture, RootFS: v1.RootFS{Type: "layers"}})
	must(t, err)
	made, err = mutate.Append(mutate.ConfigMediaType(mutate.MediaType(made, types.OCIManifestSchema1), types.OCIConfigJSON), layers...)
	must(t, err)
	return made
}

// addendum is a layer of one file, in which its name is.
func addendum(t *testing.T, name string, mediaType types.MediaType, options ...tarball.LayerOption) mutate.Addendum {
	t.Helper()
	var archive bytes.Buffer
	writer := tar.NewWriter(&archive)
	must(t, writer.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(name))}))
	_, err := io.WriteString(writer, name)
	must(t, err)
	must(t, writer.Close())
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive.Bytes())), nil }
	layer, err := tarball.LayerFromOpener(open, append(options, tarball.WithMediaType(mediaType))...)
	must(t, err)
	return mutate.Addendum{Layer: layer, MediaType: mediaType}
}

// elsewhere is a layer that a server on loopback has.
func elsewhere(t *testing.T) mutate.Addendum {
	t.Helper()
	made := addendum(t, "elsewhere", types.OCIRestrictedLayer)
	compressed, err := made.Layer.Compressed()
	must(t, err)
	content, err := io.ReadAll(compressed)
	must(t, err)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(content) }))
	t.Cleanup(server.Close)
	made.URLs = []string{server.URL + "/layer"}
	return made
}

// pack makes a layout a file.
func pack(t *testing.T, dir string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "image.tar")
	archive, err := os.Create(file)
	must(t, err)
	writer := tar.NewWriter(archive)
	must(t, writer.AddFS(os.DirFS(dir)))
	must(t, writer.Close())
	must(t, archive.Close())
	return file
}

func addendumDigest(t *testing.T, a mutate.Addendum) string {
	t.Helper()
	d, err := a.Layer.Digest()
	must(t, err)
	return d.String()
}
