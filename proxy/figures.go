package proxy

import (
	"cmp"
	"context"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy/upstream"
)

// proxyFigures are what the proxy tells of itself. None is worth waiting for: all are what was found last, or at hand.
func (s *Server) proxyFigures(ctx context.Context) *config.ProxyFigures {
	figures := &config.ProxyFigures{Store: s.backend.upkeep.figures(ctx)}
	figures.Lookups.Answered, figures.Lookups.Missed = s.figures.Answers()
	return figures
}

// figures are how full the store is, and what it gave up.
func (u *upkeep) figures(ctx context.Context) (f config.StoreFigures) {
	if u.sweeper != nil {
		found := u.sweeper.Figures()
		f.CapacityBytes, f.UsedBytes = found.Usage.Capacity, found.Usage.Used
		if !found.LastEviction.IsZero() {
			f.LastEviction = new(metav1.NewTime(found.LastEviction))
		}
	}
	if u.sweeper == nil && u.measurer != nil {
		if usage, err := u.measurer.Usage(ctx); err == nil {
			f.CapacityBytes, f.UsedBytes = usage.Capacity, usage.Used
		}
	}
	if u.census != nil {
		if objects, counted := u.census.Objects(); counted {
			f.Objects = &objects
		}
	}
	return f
}

// upstreamFigures are those of the upstreams of the configuration in force.
func (e *mirrorEngine) upstreamFigures() []config.UpstreamFigures {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := make([]config.UpstreamFigures, 0, len(e.clients))
	for _, client := range e.clients {
		all = append(all, figuresOf(client))
	}
	slices.SortFunc(all, func(a, b config.UpstreamFigures) int { return cmp.Compare(a.Name, b.Name) })
	return all[:min(len(all), config.MaxReportedUpstreams)]
}

func figuresOf(client *upstream.Client) config.UpstreamFigures {
	f := config.UpstreamFigures{Name: client.Name()}
	if up, known := client.Reachable(); known {
		f.Reachable = &up
	}
	if said, ok := client.RateLimit(); ok {
		f.RateLimit = &config.RateLimitFigures{Limit: said.Limit, Remaining: said.Remaining}
	}
	return f
}
