package upstream

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/registryhub/registryhub/hack/debian"
)

// findBinary is distribution's registry: the installed one, or Debian's package unpacked into the cache, so that
// no service is started on this machine.
func findBinary(ctx context.Context, cache string) (string, error) {
	if installed, err := exec.LookPath("docker-registry"); err == nil {
		return installed, nil
	}
	unpacked := filepath.Join(cache, "debian", "docker-registry")
	binary := filepath.Join(unpacked, "usr", "bin", "docker-registry")
	if _, err := os.Stat(binary); err == nil {
		return binary, nil
	}
	return binary, debian.Unpack(ctx, unpacked, "docker-registry")
}
