package assets

import (
	"context"
	"path/filepath"
)

var crane = module{
	folder:     "hack/crane",
	dependency: "github.com/google/go-containerregistry",
	commands:   "github.com/google/go-containerregistry/cmd",
	ldflags: func(version string) string {
		return "-X github.com/google/go-containerregistry/cmd/crane/cmd.Version=" + version
	},
}

// Crane builds go-containerregistry's client of registries, and returns the binary.
func (s *Store) Crane(ctx context.Context) (string, error) {
	folder, err := s.build(ctx, crane, "crane", "crane")
	return filepath.Join(folder, "crane"), err
}
