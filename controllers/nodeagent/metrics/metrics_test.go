package metrics

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// told are the series with their values; of a histogram, how often it was told.
func told(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]float64{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			words := []string{family.GetName()}
			for _, label := range metric.GetLabel() {
				words = append(words, label.GetValue())
			}
			series := strings.Join(words, " ")
			value := metric.GetGauge().GetValue() + metric.GetCounter().GetValue() + float64(metric.GetHistogram().GetSampleCount())
			if value != 0 || metric.GetGauge() != nil && len(metric.GetLabel()) == 1 {
				found[series] = value
			}
		}
	}
	return found
}

func TestWhatAnAgentTells(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	m := New()
	unregister, err := m.Register(registry)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]float64{}, told(t, registry)); diff != "" {
		t.Errorf("before the first pass (-want +got):\n%s", diff)
	}
	m.Passed(time.Millisecond, 3, 0, nil, State{Revision: 7, Hubs: map[string]Hub{
		"a":    {Alive: true, Hosts: map[HostState]int{Proven: 2, Failed: 1}},
		"gone": {Alive: true, Hosts: map[HostState]int{Wired: 1}},
	}})
	m.Passed(time.Millisecond, 0, 2, errors.New("a disk"), State{Revision: 8, Hubs: map[string]Hub{"a": {Hosts: map[HostState]int{Withdrawn: 2}}}})
	want := map[string]float64{
		"registryhub_agent_configuration_revision": 8, "registryhub_agent_hub_alive a": 0, "registryhub_agent_hosts a withdrawn": 2,
		"registryhub_agent_passes_total done": 1, "registryhub_agent_passes_total failed": 1, "registryhub_agent_pass_seconds": 2,
		"registryhub_agent_host_changes_total written": 3, "registryhub_agent_host_changes_total withdrawn": 2,
	}
	if diff := cmp.Diff(want, told(t, registry)); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Errorf("the names are not as Prometheus has them: %v (%v)", problems, err)
	}
	unregister()
	if got := told(t, registry); len(got) > 0 {
		t.Errorf("after its end: %v", got)
	}
}
