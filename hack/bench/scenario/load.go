package scenario

import (
	"context"
	"fmt"
	"time"

	"github.com/registryhub/registryhub/hack/bench/client"
	"github.com/registryhub/registryhub/hack/bench/contender"
	"github.com/registryhub/registryhub/hack/bench/images"
	"github.com/registryhub/registryhub/hack/bench/report"
)

const gib = 1 << 30

// warm pulls images, and then once more, so that what a server keeps after it has answered is kept.
func warm(ctx context.Context, s *contender.Server, all ...images.Image) error {
	for range 2 {
		for _, image := range all {
			if _, err := s.Pull(ctx, image); err != nil {
				return fmt.Errorf("pulling %s: %w", image.Repository, err)
			}
			if err := settle(ctx, s); err != nil {
				return err
			}
		}
	}
	return nil
}

// settle waits until a server has nothing to do any more.
func settle(ctx context.Context, s *contender.Server) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	before, err := s.CPU()
	for err == nil {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		var now time.Duration
		if now, err = s.CPU(); now-before < 2*time.Millisecond {
			break
		}
		before = now
	}
	return err
}

// loaded puts a load on a server and returns what each request, and each byte, cost it.
func (b *Bench) loaded(ctx context.Context, s *contender.Server, request client.Request, clients int) (report.Figures, error) {
	var before, used time.Duration
	var asked int64
	request.Target += s.Query
	outcome, err := client.Load{Address: s.Address, Roots: s.Roots, Request: request, Clients: clients, For: b.For}.Run(ctx,
		func() (err error) {
			asked, err = b.asked(ctx)
			if err == nil {
				before, err = s.CPU()
			}
			return err
		},
		func() error {
			after, err := s.CPU()
			used = after - before
			return err
		})
	if err != nil {
		return nil, err
	}
	now, err := b.asked(ctx)
	seconds := outcome.Elapsed.Seconds()
	figures := report.Figures{
		requestRate: float64(outcome.Requests) / seconds, throughput: float64(outcome.Bytes) / seconds,
		p50: report.Percentile(outcome.Times, 50).Seconds(), p99: report.Percentile(outcome.Times, 99).Seconds(),
		upstreamAsks: float64(now-asked) / float64(max(outcome.Requests, 1)),
	}
	if outcome.Requests > 0 {
		figures[cpuPerRequest] = used.Seconds() / float64(outcome.Requests)
	}
	if outcome.Bytes > 0 {
		figures[cpuPerGiB] = used.Seconds() / (float64(outcome.Bytes) / gib)
	}
	return figures, err
}

// asked is how many requests the upstream has had.
func (b *Bench) asked(ctx context.Context) (int64, error) {
	counts, err := b.Upstream.Counts(ctx)
	return counts.Requests(), err
}
