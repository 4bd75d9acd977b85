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
	// down are the upstreams that are not asked now: that one is asked from the start is nothing to log.
	down map[string]bool
}

func newObserver(hub string, logger logr.Logger, figures *metrics.Metrics) *observer {
	return &observer{Metrics: figures, hub: hub, logger: logger, down: map[string]bool{}}
}

// UpstreamUp implements upstream.Observer.
func (o *observer) UpstreamUp(upstream string, up bool) {
	o.Metrics.UpstreamUp(upstream, up)
	o.mu.Lock()
	was := !o.down[upstream]
	o.down[upstream] = !up
	o.mu.Unlock()
	switch {
	case was && !up:
		o.logger.Info("upstream does not answer", "hub", o.hub, "upstream", upstream)
	case !was && up:
		o.logger.Info("upstream answers again", "hub", o.hub, "upstream", upstream)
	}
}

// UpstreamFilesRefused implements upstream.Observer.
func (o *observer) UpstreamFilesRefused(upstream string, err error) {
	o.logger.Info("changed certificates refused, those of before stay in force", "hub", o.hub, "upstream", upstream, "error", err.Error())
}
