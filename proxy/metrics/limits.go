package metrics

import "github.com/prometheus/client_golang/prometheus"

// limits is what was met of the server's limits.
type limits struct {
	connections prometheus.Gauge
	turnedAway  *prometheus.CounterVec
	stalled     prometheus.Counter
}

func newLimits() limits {
	l := limits{
		connections: gauge("open_connections", "Connections of clients that are open."),
		turnedAway:  counters("turned_away_total", "Requests answered 503, and connections closed, because there were too many, by limit (requests, connections).", "limit"),
		stalled:     counter("stalled_clients_total", "Connections that were cut because the client took nothing for five minutes."),
	}
	for _, limit := range []string{"requests", "connections"} {
		l.turnedAway.WithLabelValues(limit) // 0 is a figure too, as in upkeep
	}
	return l
}

// Connections tells how many connections of clients are open.
func (m *Metrics) Connections(n int64) { m.limits.connections.Set(float64(n)) }

// TurnedAway counts a request or a connection over a limit: requests or connections.
func (m *Metrics) TurnedAway(limit string) { m.limits.turnedAway.WithLabelValues(limit).Inc() }

// Stalled counts a connection that was cut because its client took nothing.
func (m *Metrics) Stalled() { m.limits.stalled.Inc() }
