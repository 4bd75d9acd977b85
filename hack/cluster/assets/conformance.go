package assets

import (
	"context"
	"path/filepath"
)

var conformance = module{
	folder:     "hack/conformance",
	dependency: "github.com/opencontainers/distribution-spec/conformance",
	commands:   "github.com/opencontainers/distribution-spec",
	ldflags: func(version string) string {
		return "-X main.Version=" + version
	},
}

// Conformance builds the conformance suite of the OCI distribution specification, and returns the binary.
func (s *Store) Conformance(ctx context.Context) (string, error) {
	folder, err := s.build(ctx, conformance, "conformance", "conformance")
	return filepath.Join(folder, "conformance"), err
}
