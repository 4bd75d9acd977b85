// Package clients pushes to the registry and pulls from it with the programs and libraries that people do it with.
package clients

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"go.uber.org/goleak"

	"github.com/registryhub/registryhub/hack/cluster/assets"
	"github.com/registryhub/registryhub/hack/debian"
	"github.com/registryhub/registryhub/test/localregistry"
)

const (
	user     = "alice"
	password = "secret"
)

func TestMain(m *testing.M) {
	if err := install("skopeo", "buildah", "podman"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// install installs those of Debian's packages whose program, of the same name, is not there. It needs root then.
func install(programs ...string) error {
	var missing []string
	for _, program := range programs {
		if _, err := exec.LookPath(program); errors.Is(err, exec.ErrNotFound) {
			missing = append(missing, program)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return debian.Install(context.Background(), missing...)
}

// serve runs a registry with one user, and returns its address.
func serve(t *testing.T) string {
	t.Helper()
	return localregistry.NewPlace(t, "{htpasswdFile: "+localregistry.Users(t, user, password)+"}").Serve(t)
}

// newAssets are the programs that are built or unpacked for tests.
func newAssets(t *testing.T) *assets.Store {
	t.Helper()
	cache, err := assets.Find(func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) })
	must(t, err)
	return cache
}

// run runs a program in a home of its own, and returns what it said.
func run(t *testing.T, home string, command ...string) string {
	t.Helper()
	out, err := try(t, home, command...)
	must(t, err)
	return out
}

// try is run of what may fail.
func try(t *testing.T, home string, command ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "XDG_RUNTIME_DIR=" + home, "TMPDIR=" + home,
		"REGISTRY_AUTH_FILE=" + filepath.Join(home, "auth.json"), "DOCKER_CONFIG=" + home,
		"SSL_CERT_FILE=" + authorityIn(home),
	}
	cmd.Dir = home
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%v: %w\n%s", command, err, out)
	}
	return string(out), err
}

// image writes an image as an OCI layout, and returns its directory and digest.
func image(t *testing.T) (dir, digest string) {
	t.Helper()
	made, err := random.Image(1<<20, 2)
	must(t, err)
	made = mutate.ConfigMediaType(mutate.MediaType(made, types.OCIManifestSchema1), types.OCIConfigJSON)
	dir = t.TempDir()
	path, err := layout.Write(dir, empty.Index)
	must(t, err)
	must(t, path.AppendImage(made, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": "v1"})))
	d, err := made.Digest()
	must(t, err)
	return dir, d.String()
}

// newHome is a directory for what a program keeps. Its name is short, since podman takes no other.
func newHome(t *testing.T) string {
	t.Helper()
	home, err := os.MkdirTemp("", "c") //nolint:usetesting // a test's own is named after the test
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(home)) })
	must(t, os.WriteFile(filepath.Join(home, "auth.json"), []byte("{}"), 0o600))
	return home
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
