package assets

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
)

// CertManager builds cert-manager's controllers into a program and returns the binary, and the folder of cert-manager's
// CustomResourceDefinitions.
func (s *Store) CertManager(ctx context.Context) (binary, definitions string, err error) {
	const folder = "certmanager"
	source := filepath.Join(s.Root, "hack", folder)
	binary = filepath.Join(s.Cache, folder, folder)
	err = s.alone(folder, func() error {
		s.Step("building cert-manager (minutes, once)")
		return run(ctx, source, []string{"CGO_ENABLED=0", "GOWORK=off"}, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, ".")
	})
	if err != nil {
		return "", "", err
	}
	list := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/cert-manager/cert-manager")
	list.Dir = source
	module, err := list.Output()
	if err != nil {
		return "", "", fmt.Errorf("looking for cert-manager's CustomResourceDefinitions: %w", err)
	}
	return binary, filepath.Join(string(bytes.TrimSpace(module)), "deploy", "crds"), nil
}
