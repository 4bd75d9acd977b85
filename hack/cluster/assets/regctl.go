package assets

import (
	"context"
	"path/filepath"
)

var regclient = module{
	folder:     "hack/regctl",
	dependency: "github.com/regclient/regclient",
	commands:   "github.com/regclient/regclient/cmd",
	ldflags: func(version string) string {
		return "-X main.VCSTag=" + version
	},
}

// Regctl builds regclient's client of registries, and returns the binary.
func (s *Store) Regctl(ctx context.Context) (string, error) {
	folder, err := s.build(ctx, regclient, "regctl", "regctl")
	return filepath.Join(folder, "regctl"), err
}
