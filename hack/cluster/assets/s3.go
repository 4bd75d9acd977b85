package assets

import (
	"context"
	"path/filepath"
)

var versitygw = module{
	folder:     "hack/cluster/versitygw",
	dependency: "github.com/versity/versitygw",
	commands:   "github.com/versity/versitygw/cmd",
	ldflags: func(version string) string {
		return "-X main.Version=" + version
	},
}

// S3 builds versitygw, an S3 server, and returns the binary.
func (s *Store) S3(ctx context.Context) (string, error) {
	folder, err := s.build(ctx, versitygw, "versitygw", "versitygw")
	return filepath.Join(folder, "versitygw"), err
}
