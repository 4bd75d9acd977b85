package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

func TestThePageIsWhatThePartsRegister(t *testing.T) {
	t.Parallel()
	if err := run(filepath.Join("..", "..", page), true); err != nil {
		t.Error(err)
	}
}

func TestAPageThatDiffersIsRefusedAndPutRight(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(filepath.Join("..", "..", page))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "metrics.md")
	old := strings.ReplaceAll(string(content), "registryhub_manager_leader", "registryhub_manager_of_old")
	if err := os.WriteFile(file, []byte(old), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(file, true); err == nil {
		t.Error("what differs passed the check")
	}
	if err := run(file, false); err != nil {
		t.Error(err)
	}
	if err := run(file, true); err != nil {
		t.Errorf("it was written, and differs: %v", err)
	}
}

func TestATableHasARowForEachMetric(t *testing.T) {
	t.Parallel()
	got := string(table([]prometheus.Collector{
		prometheus.NewCounterVec(prometheus.CounterOpts{Name: "pulls_total", Help: `Pulls of "it".`}, []string{"a", "b"}),
		prometheus.NewGauge(prometheus.GaugeOpts{Name: "open", Help: "Those that are open."}),
		prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "took_seconds", Help: "Time."}, []string{"kind"}),
	}))
	want := "| metric | type | meaning | labels |\n|---|---|---|---|\n" +
		"| `open` | gauge | Those that are open |  |\n" +
		"| `pulls_total` | counter | Pulls of \"it\" | `a`, `b` |\n" +
		"| `took_seconds` | histogram | Time | `kind` |\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}
