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
	return Family{
		Name: "hits", Title: "Large blobs from the cache", Contenders: servers, Prepare: warmLarge,
		Cases: largeHits("hits", "hits", hitTargets),
	}
}

// tls is the same over TLS, where nginx has to read and to encrypt what it could have the kernel send.
func tls() Family {
	return Family{
		Name: "tls", Title: "The same over TLS", Contenders: []string{contender.Ours, contender.Static}, Prepare: warmLarge, TLS: true,
		Cases: largeHits("tls", "hits over TLS", tlsTargets),
	}
}

var hitTargets = []report.Target{
	{What: "CPU per GiB at most 1.15x nginx static", Metric: cpuPerGiB, Against: contender.Static, Factor: 1.15},
	{What: "throughput at least 0.85x nginx static", Metric: throughput, Against: contender.Static, Factor: 0.85, AtLeast: true},
}

var tlsTargets = []report.Target{
	{What: "throughput at least 0.75x nginx's TLS", Metric: throughput, Against: contender.Static, Factor: 0.75, AtLeast: true},
	{What: "CPU per GiB at most 1.33x nginx's TLS", Metric: cpuPerGiB, Against: contender.Static, Factor: 1 / 0.75},
}

func warmLarge(ctx context.Context, b *Bench, s *contender.Server) error {
	image, err := b.Tree.Image("large", 64<<20, 1<<30)
	if err != nil {
		return err
	}
	return warm(ctx, s, image)
}

// largeHits are those of a layer of each size, by few and by many clients.
func largeHits(name, title string, targets []report.Target) (cases []Case) {
	for layer := range 2 {
		for _, clients := range []int{1, 8, 64} {
			cases = append(cases, hit(name, title, layer, clients, targets))
		}
	}
	return cases
}

func hit(name, title string, layer, clients int, targets []report.Target) Case {
	size := []string{"64 MiB", "1 GiB"}[layer]
	return Case{
		Name:  fmt.Sprintf("%s-%s-%d", name, []string{"64M", "1G"}[layer], clients),
		Title: fmt.Sprintf("%s, %s, clients: %d", title, size, clients),
		Measure: func(ctx context.Context, b *Bench, s *contender.Server) (report.Figures, error) {
			image, err := b.Tree.Image("large")
			if err != nil {
				return nil, err
			}
			return b.loaded(ctx, s, client.Request{Target: image.BlobPath(image.Layers()[layer])}, clients)
		},
		Columns: append(ratio("CPU per GiB", cpuPerGiB, report.SecondsPerGiB, contender.Static),
			ratio("throughput", throughput, report.GiBPerSecond, contender.Static)...),
		Targets: targets,
	}
}
