// Package metrics holds what a node's agent tells. Labels are names of hubs and fixed words.
package metrics

import (
	"errors"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// HostState is how a hub's host is on the node.
type HostState string

// The states of a host, of which each has one.
const (
	// Proven: its files are in place, and the runtime was seen to pull it through the hub.
	Proven HostState = "proven"
	// Wired: its files are in place, and nothing is known of the runtime.
	Wired HostState = "wired"
	// Unproven: its files are in place, and the runtime does not pull it through the hub.
	Unproven HostState = "unproven"
	// Withdrawn: the hub does not answer, or has not yet, so that pulls go to the upstream.
	Withdrawn HostState = "withdrawn"
	// Failed: its files could not be brought about, or somebody else's are in their place.
	Failed HostState = "failed"
)

var hostStates = []HostState{Proven, Wired, Unproven, Withdrawn, Failed}

// Hub is how one hub is seen from the node.
type Hub struct {
	// Alive: it answers the node.
	Alive bool
	// Hosts are how many of its hosts are in each state.
	Hosts map[HostState]int
}

// State is what came of a pass over the node's files.
type State struct {
	// Revision of the NodeConfiguration that was brought about.
	Revision int64
	// Hubs that the node has hosts of, by their names.
	Hubs map[string]Hub
}

var (
	revision = prometheus.NewDesc("registryhub_agent_configuration_revision", "Revision of the NodeConfiguration that was brought about last.", nil, nil)
	alive    = prometheus.NewDesc("registryhub_agent_hub_alive", "1 while the hub answers this node.", []string{"hub"}, nil)
	hosts    = prometheus.NewDesc("registryhub_agent_hosts", "Hosts of the hub by how they are on this node (proven, wired, unproven, withdrawn, failed).", []string{"hub", "state"}, nil)
)

// Metrics of one agent. The state is a collector of its own, so that nothing is left behind of a hub that is gone.
type Metrics struct {
	passes  *prometheus.CounterVec
	changes *prometheus.CounterVec
	took    prometheus.Histogram

	mu    sync.Mutex
	state *State
}

// New makes metrics that nobody sees until they are registered.
func New() *Metrics {
	m := &Metrics{
		passes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "registryhub_agent_passes_total", Help: "Passes over the node's files by result (done, failed).",
		}, []string{"result"}),
		changes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "registryhub_agent_host_changes_total", Help: "Hosts whose files were changed, by change (written, withdrawn).",
		}, []string{"change"}),
		took: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "registryhub_agent_pass_seconds", Help: "Time of a pass over the node's files.", Buckets: []float64{.001, .005, .025, .1, .5, 2, 10},
		}),
	}
	for _, result := range []string{"done", "failed"} {
		m.passes.WithLabelValues(result) // 0 is a figure too: an increase of what was never there is none
	}
	for _, change := range []string{"written", "withdrawn"} {
		m.changes.WithLabelValues(change)
	}
	return m
}

// Collectors are all that there is to register.
func (m *Metrics) Collectors() []prometheus.Collector {
	return []prometheus.Collector{m, m.passes, m.changes, m.took}
}

// Register registers all of them, until the function that it returns is called.
func (m *Metrics) Register(registerer prometheus.Registerer) (unregister func(), err error) {
	unregister = func() {
		for _, collector := range m.Collectors() {
			registerer.Unregister(collector)
		}
	}
	var errs []error
	for _, collector := range m.Collectors() {
		errs = append(errs, registerer.Register(collector))
	}
	return unregister, errors.Join(errs...)
}

// Passed tells of a pass: how long it took, of how many hosts it wrote and withdrew the files, and what it ended in.
func (m *Metrics) Passed(took time.Duration, written, withdrawn int, err error, state State) {
	result := "done"
	if err != nil {
		result = "failed"
	}
	m.passes.WithLabelValues(result).Inc()
	m.changes.WithLabelValues("written").Add(float64(written))
	m.changes.WithLabelValues("withdrawn").Add(float64(withdrawn))
	m.took.Observe(took.Seconds())
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state = &state
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(to chan<- *prometheus.Desc) {
	to <- revision
	to <- alive
	to <- hosts
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(to chan<- prometheus.Metric) {
	m.mu.Lock()
	state := m.state
	m.mu.Unlock()
	if state == nil {
		return
	}
	to <- gauge(revision, float64(state.Revision))
	for name, hub := range state.Hubs {
		answers := 0.0
		if hub.Alive {
			answers = 1
		}
		to <- gauge(alive, answers, name)
		for _, s := range hostStates {
			to <- gauge(hosts, float64(hub.Hosts[s]), name, string(s))
		}
	}
}

func gauge(desc *prometheus.Desc, value float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
}
