package scenario

import (
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/registryhub/registryhub/hack/bench/client"
	"github.com/registryhub/registryhub/hack/bench/contender"
	"github.com/registryhub/registryhub/hack/bench/origin"
	"github.com/registryhub/registryhub/hack/bench/report"
)

const (
	slowFills = 200
	slowSize  = 4 << 20
	// slowRate is what each client takes, in bytes a second: half of what the upstream gives.
	slowRate = 1 << 20
)

// slow are many fills at once, whose clients are slower than the upstream.
func slow() Family {
	return Family{
		Name: "memory", Title: "Memory of many fills", Contenders: []string{contender.Ours, contender.ProxyCache, contender.Distribution},
		Cases: []Case{{
			Name: "memory-200", Title: "200 cold fills at once, slow clients", Rounds: 2, Speed: origin.Speed{Rate: 2 * slowRate},
			Measure: sip,
			Columns: []report.Column{
				{Title: "total", Metric: total, Unit: report.Seconds}, {Title: "upstream bytes", Metric: upstreamBytes, Unit: report.Ratio},
			},
			Targets: []report.Target{{What: "peak memory at most 80 MiB", Metric: peakMemory, Plus: 80 << 20, Unit: report.MiB}},
		}},
	}
}

func sip(ctx context.Context, b *Bench, s *contender.Server) (report.Figures, error) {
	image, err := b.Tree.Image("many", slices.Repeat([]int64{slowSize}, slowFills)...)
	if err != nil {
		return nil, err
	}
	if _, err := s.Ask(ctx, client.Request{Target: image.ManifestPath()}); err != nil {
		return nil, err
	}
	began := time.Now()
	group, inner := errgroup.WithContext(ctx)
	for _, blob := range image.Layers() {
		group.Go(func() error {
			_, err := s.AskSlowly(inner, client.Request{Target: image.BlobPath(blob)}, sipping(inner))
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	figures := report.Figures{total: time.Since(began).Seconds()}
	return figures, b.costs(ctx, s, image, 0, figures)
}

// sipping waits after each read until it was due.
func sipping(ctx context.Context) client.Taken {
	began := time.Now()
	return func(so client.Answer, _ int) error {
		due := began.Add(time.Duration(so.Bytes) * time.Second / slowRate)
		timer := time.NewTimer(time.Until(due))
		defer timer.Stop()
		select {
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
