package metrics

import "github.com/prometheus/client_golang/prometheus"

// upstreams is what is known of each upstream.
type upstreams struct {
	up, limit, remaining *prometheus.GaugeVec
}

func newUpstreams() upstreams {
	return upstreams{
		up:        gauges("upstream_up", "1 while the upstream is asked, 0 while it is not, since it answers neither requests nor probes.", "upstream"),
		limit:     gauges("upstream_ratelimit_limit", "Requests that the upstream allows in its window of time, as it last said (ratelimit-limit).", "upstream"),
		remaining: gauges("upstream_ratelimit_remaining", "Requests of them that are left, as it last said (ratelimit-remaining).", "upstream"),
	}
}

func (u upstreams) collectors() []prometheus.Collector {
	return []prometheus.Collector{u.up, u.limit, u.remaining}
}

func gauges(name, help string, labels ...string) *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(opts(name, help), labels)
}

// UpstreamUp tells whether an upstream is asked.
func (m *Metrics) UpstreamUp(upstream string, up bool) {
	m.upstreams.up.WithLabelValues(upstream).Set(truth(up))
}

// UpstreamGone says that an upstream is no longer asked by anybody. What was counted of it stays.
func (m *Metrics) UpstreamGone(upstream string) {
	m.upstreams.up.DeleteLabelValues(upstream)
	m.upstreams.limit.DeleteLabelValues(upstream)
	m.upstreams.remaining.DeleteLabelValues(upstream)
}

// UpstreamRateLimit tells what an upstream said that it allows, in requests, and what is left of it.
func (m *Metrics) UpstreamRateLimit(upstream string, limit, remaining int64) {
	m.upstreams.limit.WithLabelValues(upstream).Set(float64(limit))
	m.upstreams.remaining.WithLabelValues(upstream).Set(float64(remaining))
}
