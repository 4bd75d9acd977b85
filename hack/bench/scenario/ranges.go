package scenario

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/registryhub/registryhub/hack/bench/client"
	"github.com/registryhub/registryhub/hack/bench/contender"
	"github.com/registryhub/registryhub/hack/bench/origin"
	"github.com/registryhub/registryhub/hack/bench/report"
)

const (
	// rangeSize and rangesAtOnce are what containerd asks with on EKS (concurrent_layer_fetch_buffer).
	rangeSize    = 8 << 20
	rangesAtOnce = 8
)

// ranges are parallel ranges of one cold blob.
func ranges() Family {
	return Family{
		Name: "ranges", Title: "Ranges of a cold blob", Contenders: fetchers,
		Cases: []Case{
			rangesCase("ranges-256M", "8 MiB ranges, 8 at once, cold 256 MiB blob, upstream as fast as loopback", origin.Speed{}),
			rangesCase("ranges-256M-40", "8 MiB ranges, 8 at once, cold 256 MiB blob, 40 MB/s a connection", origin.Speed{Rate: 40e6}),
		},
	}
}

func rangesCase(name, title string, speed origin.Speed) Case {
	return Case{
		Name: name, Title: title, Speed: speed, Measure: ranged, Columns: coldColumns(),
		Targets: []report.Target{
			{What: "total at most 1.3x direct", Metric: total, Against: contender.Direct, Factor: 1.3},
			{What: "upstream bytes 1.00x", Metric: upstreamBytes, Plus: 1.004, Unit: report.Ratio},
		},
	}
}

func ranged(ctx context.Context, b *Bench, s *contender.Server) (report.Figures, error) {
	image, err := b.Tree.Image("ranges", 256<<20)
	if err != nil {
		return nil, err
	}
	before, err := s.CPU()
	if err != nil {
		return nil, err
	}
	blob := image.Layers()[0]
	if _, err := s.Ask(ctx, client.Request{Target: image.ManifestPath()}); err != nil {
		return nil, err
	}
	began := time.Now()
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(rangesAtOnce)
	for first := int64(0); first < blob.Size; first += rangeSize {
		group.Go(func() error {
			_, err := s.Ask(inner, client.Request{Target: image.BlobPath(blob), First: first, Last: min(first+rangeSize, blob.Size) - 1})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	figures := report.Figures{total: time.Since(began).Seconds()}
	return figures, b.costs(ctx, s, image, before, figures)
}
