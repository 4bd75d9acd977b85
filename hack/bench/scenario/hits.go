package scenario

import (
	"context"
	"fmt"

	"github.com/registryhub/registryhub/hack/bench/client"
	"github.com/registryhub/registryhub/hack/bench/contender"
	"github.com/registryhub/registryhub/hack/bench/report"
)

// servers are those that hold what they are asked for, the last the limit.
var servers = []string{contender.Ours, contender.ProxyCache, contender.Distribution, contender.Static}

// hits are large blobs that are in the cache.
func hits() Family {
	family := Family{
		Name: "hits", Title: "Large blobs from the cache", Contenders: servers,
		Prepare: func(ctx context.Context, b *Bench, s *contender.Server) error {
			image, err := b.Tree.Image("large", 64<<20, 1<<30)
			if err != nil {
				return err
			}
			return warm(ctx, s, image)
		},
	}
	for _, layer := range []int{0, 1} {
		for _, clients := range []int{1, 8, 64} {
			family.Cases = append(family.Cases, hit(layer, clients))
		}
	}
	return family
}

func hit(layer, clients int) Case {
	size := []string{"64 MiB", "1 GiB"}[layer]
	return Case{
		Name:  fmt.Sprintf("hits-%s-%d", []string{"64M", "1G"}[layer], clients),
		Title: fmt.Sprintf("hits, %s, clients: %d", size, clients),
		Measure: func(ctx context.Context, b *Bench, s *contender.Server) (report.Figures, error) {
			image, err := b.Tree.Image("large")
			if err != nil {
				return nil, err
			}
			return b.loaded(ctx, s, client.Request{Target: image.BlobPath(image.Layers()[layer])}, clients)
		},
		Columns: append(ratio("CPU per GiB", cpuPerGiB, report.SecondsPerGiB, contender.Static),
			ratio("throughput", throughput, report.GiBPerSecond, contender.Static)...),
		Targets: []report.Target{
			{What: "CPU per GiB at most 1.15x nginx static", Metric: cpuPerGiB, Against: contender.Static, Factor: 1.15},
			{What: "throughput at least 0.85x nginx static", Metric: throughput, Against: contender.Static, Factor: 0.85, AtLeast: true},
		},
	}
}
