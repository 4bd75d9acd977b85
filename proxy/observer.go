package proxy

import (
	"sync"

	"github.com/go-logr/logr"

	"github.com/registryhub/registryhub/proxy/metrics"
)

// observer makes metrics and log lines of what clients learn of their upstreams (upstream.Observer).
type observer struct {
	*metrics.Metrics

	hub    string
	logger logr.Logger

	mu sync.Mutex
	// up are the upstreams in force, and whether each is asked: that one is from the start is nothing to log.
	up map[string]bool
}

func newObserver(hub string, logger logr.Logger, figures *metrics.Metrics) *observer {
	return &observer{Metrics: figures, hub: hub, logger: logger, up: map[string]bool{}}
}

// follow has metrics of these upstreams alone: of others there may still be requests under way, which tell of them.
func (o *observer) follow(wanted clients) {
	o.mu.Lock()
	defer o.mu.Unlock()
	before := o.up
	o.up = map[string]bool{}
	for _, client := range wanted {
		was, known := before[client.Name()]
		o.up[client.Name()] = was || !known
	}
	for name := range before {
		if _, kept := o.up[name]; !kept {
			o.UpstreamGone(name)
		}
	}
}

// UpstreamUp implements upstream.Observer.
func (o *observer) UpstreamUp(upstream string, up bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	was, followed := o.up[upstream]
	if !followed {
		return
	}
	o.up[upstream] = up
	o.Metrics.UpstreamUp(upstream, up)
	switch {
	case was && !up:
		o.logger.Info("upstream does not answer", "hub", o.hub, "upstream", upstream)
	case !was && up:
		o.logger.Info("upstream answers again", "hub", o.hub, "upstream", upstream)
	}
}

// UpstreamRateLimit implements upstream.Observer.
func (o *observer) UpstreamRateLimit(upstream string, limit, remaining int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, followed := o.up[upstream]; followed {
		o.Metrics.UpstreamRateLimit(upstream, limit, remaining)
	}
}

// UpstreamFilesRefused implements upstream.Observer.
func (o *observer) UpstreamFilesRefused(upstream string, err error) {
	o.logger.Info("changed certificates refused, those of before stay in force", "hub", o.hub, "upstream", upstream, "error", err.Error())
}
