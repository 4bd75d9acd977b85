package metrics

import "github.com/prometheus/client_golang/prometheus"

func newCanaries() prometheus.Counter {
	return counter("canary_answers_total", "Objects answered of canaries, by which nodes prove that they pull through the hub. They are no lookups: the cache has no part in them.")
}

// Canary counts an object of a canary that was answered.
func (m *Metrics) Canary() { m.canaries.Inc() }
