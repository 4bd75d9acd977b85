package scenario

import (
	"context"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/registryhub/registryhub/hack/bench/contender"
	"github.com/registryhub/registryhub/hack/bench/origin"
	"github.com/registryhub/registryhub/hack/bench/report"
)

const (
	herdSize = 100
	// lastToFirst is how much longer the last client took than the first.
	lastToFirst = "lastToFirst"
	// requestsPerBlob is how often the blob that was asked for most was asked for upstream.
	requestsPerBlob = "requestsPerBlob"
)

// herd are many clients that pull one cold image at once.
func herd() Family {
	return Family{
		Name: "herd", Title: "100 clients, one cold image", Contenders: []string{contender.Ours, contender.ProxyCache, contender.Distribution},
		Cases: []Case{{
			Name: "herd-100", Title: "100 clients, one cold image", Rounds: 5, Speed: origin.Speed{Rate: 125e6},
			Measure: stampede,
			Columns: []report.Column{
				{Title: "last client", Metric: total, Unit: report.Milliseconds},
				{Title: "last / first", Metric: lastToFirst, Unit: report.Ratio},
				{Title: "upstream bytes", Metric: upstreamBytes, Unit: report.Ratio},
				{Title: "requests of one blob", Metric: requestsPerBlob, Unit: report.Count},
			},
			Targets: []report.Target{
				{What: "upstream bytes 1.00x", Metric: upstreamBytes, Plus: 1.004, Unit: report.Ratio},
				{What: "last client at most 1.3x the first", Metric: lastToFirst, Plus: 1.3, Unit: report.Ratio},
			},
		}},
	}
}

func stampede(ctx context.Context, b *Bench, s *contender.Server) (report.Figures, error) {
	image, err := b.Tree.Image("herd", 16<<20, 8<<20, 4<<20, 4<<20)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	var first, last time.Duration
	group, inner := errgroup.WithContext(ctx)
	for range herdSize {
		group.Go(func() error {
			pulled, err := s.Pull(inner, image)
			mu.Lock()
			defer mu.Unlock()
			if first == 0 || pulled.End < first {
				first = pulled.End
			}
			last = max(last, pulled.End)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	figures := report.Figures{total: last.Seconds(), lastToFirst: last.Seconds() / first.Seconds()}
	if err := b.costs(ctx, s, image, 0, figures); err != nil {
		return nil, err
	}
	counts, err := b.Upstream.Counts(ctx)
	for path, count := range counts {
		if strings.Contains(path, "/blobs/") {
			figures[requestsPerBlob] = max(figures[requestsPerBlob], float64(count.Requests))
		}
	}
	return figures, err
}
