package metrics

import "github.com/prometheus/client_golang/prometheus"

// configuration is what came of changes of the configuration file.
type configuration struct {
	reloads *prometheus.CounterVec
	failed  prometheus.Gauge
}

func newConfiguration() configuration {
	return configuration{
		reloads: counters("config_reloads_total", "Changed configurations by result (applied, refused).", "result"),
		failed:  gauge("config_reload_failed", "1 while the configuration file is one that was refused, so that an earlier one is in force."),
	}
}

// Reloaded counts a changed configuration file that was taken into force, or refused.
func (m *Metrics) Reloaded(applied bool) {
	if applied {
		m.configuration.reloads.WithLabelValues("applied").Inc()
		m.configuration.failed.Set(0)
		return
	}
	m.configuration.reloads.WithLabelValues("refused").Inc()
	m.configuration.failed.Set(1)
}
