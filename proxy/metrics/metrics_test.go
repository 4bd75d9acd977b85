package metrics_test

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/registryhub/registryhub/proxy/metrics"
)

// touched are the metrics with a value in each.
func touched() (*metrics.Metrics, *prometheus.Registry) {
	registry := prometheus.NewRegistry()
	m := metrics.New(registry)
	m.Build("v1", "abc")
	m.Request("blob", 206, 100, time.Millisecond)
	m.Lookup("blob", metrics.Hit)
	m.UpstreamRequest("hub", "manifest", 0)
	m.UpstreamRequest("hub", "manifest", 404)
	m.Received("hub", 7)
	m.Fallback("doubled-segment", "found")
	m.Mismatch()
	m.StoreError()
	m.FillBegun()
	m.Reloaded(true)
	m.Reloaded(false)
	m.Connections(3)
	m.TurnedAway("requests")
	m.Stalled()
	m.Space(100, 90, 10, 9)
	m.Evicted("idle", 2, 30, time.Unix(1000, 0))
	m.Forgotten(5)
	m.Elected(true)
	m.UpstreamUp("hub", true)
	m.UpstreamUp("other", false)
	m.UpstreamRateLimit("hub", 100, 76)
	m.Writable(true)
	m.Damaged(metrics.Scrubbed)
	m.Scrubbed(40)
	m.CertificateServed(time.Unix(2000, 0))
	m.CertificateRefused()
	m.HandshakeFailed()
	m.Canary()
	m.Reviewed(metrics.ReviewOfToken, metrics.ReviewFailed)
	return m, registry
}

func TestTheNamesAreAsPrometheusHasThem(t *testing.T) {
	t.Parallel()
	_, registry := touched()
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Errorf("%v (%v)", problems, err)
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	m, registry := touched()
	m.Build("v1", "def")
	m.FillEnded()
	tests := map[string]float64{
		"registryhub_proxy_build_info":                           1,
		"registryhub_proxy_served_bytes_total":                   100,
		"registryhub_proxy_upstream_received_bytes_total":        7,
		"registryhub_proxy_active_fills":                         0,
		"registryhub_proxy_upstream_requests_total":              2,
		"registryhub_proxy_store_capacity_bytes":                 100,
		"registryhub_proxy_store_used_bytes":                     90,
		"registryhub_proxy_store_capacity_inodes":                10,
		"registryhub_proxy_store_used_inodes":                    9,
		"registryhub_proxy_evicted_objects_total":                2,
		"registryhub_proxy_forgotten_names_total":                5,
		"registryhub_proxy_evicted_bytes_total":                  30,
		"registryhub_proxy_config_reloads_total":                 2,
		"registryhub_proxy_config_reload_failed":                 1,
		"registryhub_proxy_open_connections":                     3,
		"registryhub_proxy_turned_away_total":                    1,
		"registryhub_proxy_stalled_clients_total":                1,
		"registryhub_proxy_last_eviction_timestamp_seconds":      1000,
		"registryhub_proxy_elected":                              1,
		"registryhub_proxy_upstream_up":                          1,
		"registryhub_proxy_upstream_ratelimit_limit":             100,
		"registryhub_proxy_upstream_ratelimit_remaining":         76,
		"registryhub_proxy_store_writable":                       1,
		"registryhub_proxy_damaged_objects_total":                1,
		"registryhub_proxy_scrubbed_objects_total":               1,
		"registryhub_proxy_scrubbed_bytes_total":                 40,
		"registryhub_proxy_certificate_expiry_timestamp_seconds": 2000,
		"registryhub_proxy_certificate_reload_failed":            1,
		"registryhub_proxy_failed_handshakes_total":              1,
		"registryhub_proxy_canary_answers_total":                 1,
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		want, tested := tests[family.GetName()]
		if !tested {
			continue
		}
		var sum float64
		for _, metric := range family.GetMetric() {
			sum += metric.GetCounter().GetValue() + metric.GetGauge().GetValue()
		}
		if sum != want {
			t.Errorf("%s: got %v, want %v", family.GetName(), sum, want)
		}
	}
}

func TestAnswersAreLookupsOfWhatIsThere(t *testing.T) {
	t.Parallel()
	m := metrics.New(prometheus.NewRegistry())
	for result, times := range map[metrics.Lookup]int{
		metrics.Hit: 1, metrics.Stale: 2, metrics.Shared: 4, metrics.Miss: 8, metrics.Uncached: 16, metrics.Absent: 32,
	} {
		for range times {
			m.Lookup("blob", result)
		}
	}
	if answered, missed := m.Answers(); answered != 7 || missed != 24 {
		t.Errorf("got %d answered and %d missed, want 7 and 24", answered, missed)
	}
}
