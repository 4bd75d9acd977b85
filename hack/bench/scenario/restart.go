package scenario

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/registryhub/registryhub/hack/bench/client"
	"github.com/registryhub/registryhub/hack/bench/contender"
	"github.com/registryhub/registryhub/hack/bench/images"
	"github.com/registryhub/registryhub/hack/bench/report"
)

const (
	restartImages = 20
	restartLayers = 1000
	// readyAfter is the time from the start of the process to the first answer from the cache.
	readyAfter = "readyAfter"
)

// restart is the start of a server whose cache is full.
func restart() Family {
	return Family{
		Name: "restart", Title: "Restart with 20,000 objects", Contenders: []string{contender.Ours, contender.ProxyCache, contender.Distribution},
		Prepare: fillUp,
		Cases: []Case{{
			Name: "restart-20000", Title: "20,000 cached objects: ready after a restart", Measure: restarted,
			Columns: []report.Column{{Title: "ready after", Metric: readyAfter, Unit: report.Milliseconds}},
			Targets: []report.Target{{What: "at most 50 ms", Metric: readyAfter, Plus: 0.050, Unit: report.Milliseconds}},
		}},
	}
}

func (b *Bench) crowd(n int) (images.Image, error) {
	return b.Tree.Image(fmt.Sprintf("crowd-%d", n), slices.Repeat([]int64{512}, restartLayers)...)
}

func fillUp(ctx context.Context, b *Bench, s *contender.Server) error {
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(16)
	for n := range restartImages {
		image, err := b.crowd(n)
		if err != nil {
			return err
		}
		group.Go(func() error {
			_, err := s.Pull(inner, image)
			return err
		})
	}
	return group.Wait()
}

func restarted(ctx context.Context, b *Bench, s *contender.Server) (report.Figures, error) {
	image, err := b.crowd(restartImages / 2)
	if err != nil {
		return nil, err
	}
	if err := s.Kill(); err != nil {
		return nil, err
	}
	target := image.BlobPath(image.Layers()[restartLayers/2])
	took, err := s.RestartUntil(ctx, target)
	if err != nil {
		return nil, err
	}
	_, err = s.Ask(ctx, client.Request{Target: target})
	return report.Figures{readyAfter: took.Seconds()}, err
}
