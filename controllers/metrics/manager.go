// Package metrics holds what the manager tells of the hubs. Controller-runtime counts its work beside that.
//
// Labels are names of hubs and constants of the API, so that series grow with the number of hubs and with nothing that a
// node, a client or an upstream says.
package metrics

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Certificate is one of those that the manager keeps for all hubs together.
type Certificate string

// The certificates. A hub's own is told by its proxy, which knows the one that is in use.
const (
	// Authority is the one that signs the others.
	Authority Certificate = "authority"
	// NodeClient is the one that nodes show to hubs.
	NodeClient Certificate = "node-client"
)

// Manager is what a manager tells. It registers its metrics while it runs, which is while this manager is the one of
// several that works: those that stand by have nothing to tell, and watch nothing.
type Manager struct {
	registerer   prometheus.Registerer
	hubs         hubs
	certificates *prometheus.GaugeVec
}

// NewManager tells of the hubs that the reader, a cache, has.
func NewManager(reader client.Reader, registerer prometheus.Registerer) *Manager {
	return &Manager{
		registerer: registerer,
		hubs:       hubs{reader: reader},
		certificates: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "registryhub_manager_certificate_expiry_timestamp_seconds",
			Help: "When a certificate expires that is one for all hubs, by certificate (authority; node-client, which nodes show to hubs).",
		}, []string{"certificate"}),
	}
}

// Start implements manager.Runnable: it registers the metrics until the context ends. By default such a thing runs where
// the manager has been elected.
func (m *Manager) Start(ctx context.Context) error {
	for _, collector := range m.Collectors() {
		if err := m.registerer.Register(collector); err != nil {
			return fmt.Errorf("registering the manager's metrics: %w", err)
		}
		defer m.registerer.Unregister(collector)
	}
	<-ctx.Done()
	return nil
}

// Collectors are all that it registers.
func (m *Manager) Collectors() []prometheus.Collector {
	return []prometheus.Collector{m.hubs, m.certificates}
}

// Expires tells until when a certificate is good.
func (m *Manager) Expires(certificate Certificate, at time.Time) {
	m.certificates.WithLabelValues(string(certificate)).Set(float64(at.Unix()))
}
