package assets

import (
	"context"
	"fmt"
	"path/filepath"
)

var distribution = module{
	folder:     "hack/bench/distribution",
	dependency: "github.com/distribution/distribution/v3",
	commands:   "github.com/distribution/distribution/v3/cmd",
	ldflags: func(version string) string {
		return "-X github.com/distribution/distribution/v3/version.version=" + version
	},
}

// Distribution builds distribution's registry and returns the binary.
func (s *Store) Distribution(ctx context.Context) (string, error) {
	folder, err := s.build(ctx, distribution, "distribution", "registry")
	return filepath.Join(folder, "registry"), err
}

// Nginx unpacks Debian's nginx and returns the binary. Nothing is installed.
func (s *Store) Nginx(ctx context.Context) (string, error) {
	unpacked, err := s.unpack(ctx, "nginx")
	if err != nil {
		return "", fmt.Errorf("providing nginx: %w", err)
	}
	return filepath.Join(unpacked, "usr", "sbin", "nginx"), nil
}
