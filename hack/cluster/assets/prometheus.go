package assets

import (
	"context"
	"path/filepath"
)

// prometheus is built without what finds targets in clouds, which is most of it.
var prometheus = module{
	folder:     "hack/prometheus",
	dependency: "github.com/prometheus/prometheus",
	commands:   "github.com/prometheus/prometheus/cmd",
	ldflags: func(version string) string {
		return "-X github.com/prometheus/common/version.Version=" + version
	},
	tags: "remove_all_sd",
}

// Prometheus builds a Prometheus and its promtool and returns the binaries.
func (s *Store) Prometheus(ctx context.Context) (server, promtool string, err error) {
	folder, err := s.build(ctx, prometheus, "prometheus", "prometheus", "promtool")
	return filepath.Join(folder, "prometheus"), filepath.Join(folder, "promtool"), err
}
