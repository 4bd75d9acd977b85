package scratch

import (
	"archive/tar"
	"crypto/x509"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

func spec(t *testing.T, content string) Spec {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "binary")
	if err := os.WriteFile(binary, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return Spec{Binary: binary, Path: "/registryhub", User: NonRoot, Architecture: "amd64"}
}

func readBack(t *testing.T, content string) v1.Image {
	t.Helper()
	output := filepath.Join(t.TempDir(), "image.tar")
	if _, err := WriteFile(spec(t, content), "registryhub.local/registryhub:dev", output); err != nil {
		t.Fatal(err)
	}
	image, err := tarball.ImageFromPath(output, nil)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func TestArchiveHasTheConfigurationOfTheSpec(t *testing.T) {
	file, err := readBack(t, "program").ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	want := v1.Config{
		Entrypoint: []string{"/registryhub"},
		User:       "65532:65532",
		WorkingDir: "/",
		Env:        []string{"PATH=/"},
	}
	if diff := cmp.Diff(want, file.Config); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
	if got := file.OS + "/" + file.Architecture; got != "linux/amd64" {
		t.Errorf("platform is %s, want linux/amd64", got)
	}
}

func TestLayerHoldsTheBinaryAndWhatItNeeds(t *testing.T) {
	layers, err := readBack(t, "program").Layers()
	if err != nil {
		t.Fatal(err)
	}
	if len(layers) != 1 {
		t.Fatalf("image has %d layers, want 1", len(layers))
	}
	modes, contents := entries(t, layers[0])
	want := map[string]int64{
		"etc/": 0o755, "etc/ssl/": 0o755, "etc/ssl/certs/": 0o755, "tmp/": 0o1777,
		"etc/passwd": 0o644, "etc/group": 0o644, "etc/ssl/certs/ca-certificates.crt": 0o644, "registryhub": 0o755,
	}
	if diff := cmp.Diff(want, modes); diff != "" {
		t.Errorf("modes (-want +got):\n%s", diff)
	}
	if contents["registryhub"] != "program" {
		t.Errorf("binary holds %q, want %q", contents["registryhub"], "program")
	}
	if !strings.Contains(contents["etc/passwd"], "nonroot:x:65532:65532:") {
		t.Errorf("passwd has no nonroot entry:\n%s", contents["etc/passwd"])
	}
	if !x509.NewCertPool().AppendCertsFromPEM([]byte(contents["etc/ssl/certs/ca-certificates.crt"])) {
		t.Error("ca-certificates.crt holds no certificate")
	}
}

func entries(t *testing.T, layer v1.Layer) (modes map[string]int64, contents map[string]string) {
	t.Helper()
	stream, err := layer.Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stream.Close() }()
	modes, contents = map[string]int64{}, map[string]string{}
	archive := tar.NewReader(stream)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return modes, contents
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		modes[header.Name], contents[header.Name] = header.Mode, string(content)
	}
}

func TestDigestDependsOnTheBinaryOnly(t *testing.T) {
	digest := func(content string) v1.Hash {
		image, err := Image(spec(t, content))
		if err != nil {
			t.Fatal(err)
		}
		hash, err := image.Digest()
		if err != nil {
			t.Fatal(err)
		}
		return hash
	}
	first, second, other := digest("program"), digest("program"), digest("another program")
	if first != second {
		t.Errorf("the same binary gave %s and %s", first, second)
	}
	if first == other {
		t.Errorf("two binaries gave the same digest %s", first)
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	for sentence, tc := range map[string]struct {
		spec Spec
		tag  string
		want string
	}{
		"the binary is missing":    {Spec{Binary: "no/such/binary"}, "registryhub:dev", "reading the binary to pack"},
		"the tag is not reference": {spec(t, "program"), "Not A Tag", "is not an image reference such as"},
	} {
		t.Run(sentence, func(t *testing.T) {
			_, err := WriteFile(tc.spec, tc.tag, filepath.Join(t.TempDir(), "image.tar"))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error is %v, want one with %q", err, tc.want)
			}
		})
	}
}
