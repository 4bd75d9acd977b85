// Package metrics holds what a proxy counts. Labels are fixed words or names of the configuration, never anything
// of a request, so that no client can make series.
package metrics

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Lookup says how the cache answered.
type Lookup string

// The outcomes of a lookup.
const (
	// Hit was served from the store.
	Hit Lookup = "hit"
	// Stale was served from the store because the upstream could not be asked.
	Stale Lookup = "stale"
	// Shared was served from a transfer that another request had begun.
	Shared Lookup = "shared"
	// Miss began a transfer.
	Miss Lookup = "miss"
	// Uncached was streamed from the upstream because the store could not take it.
	Uncached Lookup = "uncached"
	// Absent was answered 404, or that there are no referrers, because the upstream had lately said so.
	Absent Lookup = "absent"
)

// Metrics of one proxy.
type Metrics struct {
	requests         *prometheus.CounterVec
	lookups          *prometheus.CounterVec
	answers          answers
	servedBytes      prometheus.Counter
	upstreamRequests *prometheus.CounterVec
	upstreamBytes    *prometheus.CounterVec
	fallbacks        *prometheus.CounterVec
	mismatches       prometheus.Counter
	storeErrors      prometheus.Counter
	activeFills      prometheus.Gauge
	firstByte        *prometheus.HistogramVec
	space            space
	upstreams        upstreams
	configuration    configuration
	limits           limits
	upkeep           upkeep
	certificate      certificate
	canaries         prometheus.Counter
	reviews          *prometheus.CounterVec
	build            *prometheus.GaugeVec
}

// New makes the metrics and registers them; it panics when they are registered already, which is a fault of the
// program.
func New(registerer prometheus.Registerer) *Metrics {
	m := &Metrics{
		requests:         counters("requests_total", "Requests by kind (base, manifest, blob, tags, referrers; invalid; denied: no client certificate was shown) and status code.", "kind", "code"),
		lookups:          counters("lookups_total", "Lookups by kind (manifest, blob, tags, referrers) and result (hit, stale, shared, miss, uncached, absent).", "kind", "result"),
		servedBytes:      counter("served_bytes_total", "Bytes of bodies sent to clients."),
		upstreamRequests: counters("upstream_requests_total", "Requests to upstreams by upstream, kind and code; code error: no answer.", "upstream", "kind", "code"),
		upstreamBytes:    counters("upstream_received_bytes_total", "Bytes of manifests and blobs received from upstreams.", "upstream"),
		fallbacks:        counters("fallback_rule_uses_total", "Uses of fallback rules by rule and result (found, missed, failed).", "rule", "result"),
		mismatches:       counter("digest_mismatches_total", "Transfers thrown away because their bytes were not those of the digest."),
		storeErrors:      counter("store_errors_total", "Operations that the store failed, a full disk among them."),
		activeFills:      gauge("active_fills", "Transfers into the store that are under way."),
		firstByte: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "registryhub", Subsystem: "proxy", Name: "response_header_seconds",
			Help: "Time from a request to the header of its answer, by kind.", Buckets: []float64{.001, .005, .025, .1, .5, 1, 2, 5, 10, 30},
		}, []string{"kind"}),
		space: newSpace(), upkeep: newUpkeep(), upstreams: newUpstreams(), certificate: newCertificate(), configuration: newConfiguration(), limits: newLimits(),
		canaries: newCanaries(), reviews: newReviews(),
		build: prometheus.NewGaugeVec(opts("build_info", "1, with the version and the hash of the configuration in force."), []string{"version", "config_hash"}),
	}
	registerer.MustRegister(m.requests, m.lookups, m.servedBytes, m.upstreamRequests, m.upstreamBytes, m.fallbacks,
		m.mismatches, m.storeErrors, m.activeFills, m.firstByte, m.build,
		m.configuration.reloads, m.configuration.failed, m.limits.connections, m.limits.turnedAway, m.limits.stalled, m.canaries, m.reviews)
	registerer.MustRegister(m.space.collectors()...)
	registerer.MustRegister(m.upstreams.collectors()...)
	registerer.MustRegister(m.upkeep.collectors()...)
	registerer.MustRegister(m.certificate.collectors()...)
	return m
}

func opts(name, help string) prometheus.GaugeOpts {
	return prometheus.GaugeOpts{Namespace: "registryhub", Subsystem: "proxy", Name: name, Help: help}
}

func gauge(name, help string) prometheus.Gauge { return prometheus.NewGauge(opts(name, help)) }

// truth is how Prometheus has a yes or a no.
func truth(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts(opts(name, help)))
}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts(opts(name, help)), labels)
}

// Build tells the version and the hash of the configuration in force, in the place of an earlier one.
func (m *Metrics) Build(version, configHash string) {
	m.build.Reset()
	m.build.WithLabelValues(version, configHash).Set(1)
}

// Request counts an answer: its kind, status code, the bytes of its body, and the time until its header.
func (m *Metrics) Request(kind string, code int, bytes int64, header time.Duration) {
	m.requests.WithLabelValues(kind, strconv.Itoa(code)).Inc()
	m.servedBytes.Add(float64(bytes))
	m.firstByte.WithLabelValues(kind).Observe(header.Seconds())
}

// Lookup counts how the cache answered for a manifest, a blob or a list.
func (m *Metrics) Lookup(kind string, result Lookup) {
	m.lookups.WithLabelValues(kind, string(result)).Inc()
	m.answers.count(result)
}

// UpstreamRequest counts a request to an upstream; code 0 means that there was no answer.
func (m *Metrics) UpstreamRequest(upstream, kind string, code int) {
	text := "error"
	if code != 0 {
		text = strconv.Itoa(code)
	}
	m.upstreamRequests.WithLabelValues(upstream, kind, text).Inc()
}

// Received counts bytes from an upstream.
func (m *Metrics) Received(upstream string, bytes int64) {
	m.upstreamBytes.WithLabelValues(upstream).Add(float64(bytes))
}

// Fallback counts a use of a fallback rule: found, missed or failed.
func (m *Metrics) Fallback(rule, result string) { m.fallbacks.WithLabelValues(rule, result).Inc() }

// Mismatch counts bytes that were not those of their digest.
func (m *Metrics) Mismatch() { m.mismatches.Inc() }

// StoreError counts an operation that the store failed.
func (m *Metrics) StoreError() { m.storeErrors.Inc() }

// FillBegun and FillEnded count the transfers under way.
func (m *Metrics) FillBegun() { m.activeFills.Inc() }

// FillEnded is the counterpart of FillBegun.
func (m *Metrics) FillEnded() { m.activeFills.Dec() }
