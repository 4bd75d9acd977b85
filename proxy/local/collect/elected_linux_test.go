package collect_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/registryhub/registryhub/proxy/local/collect"
	"github.com/registryhub/registryhub/proxy/metrics"
	"github.com/registryhub/registryhub/proxy/store/fsstore"
)

// collecting runs a collector until the test ends, and returns what it says of whether it is elected.
func collecting(t *testing.T, content *fsstore.Store) (elected func() bool) {
	t.Helper()
	registry := prometheus.NewRegistry()
	collector := collect.New(collect.Options{Hub: "internal", Store: content, Every: time.Millisecond, Logger: logr.Discard(), Metrics: metrics.New(registry)})
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { collector.Run(ctx) })
	t.Cleanup(func() {
		stop()
		running.Wait()
	})
	return func() bool {
		families, err := registry.Gather()
		must(t, err)
		for _, family := range families {
			if family.GetName() == "registryhub_proxy_elected" {
				return family.GetMetric()[0].GetGauge().GetValue() == 1
			}
		}
		return false
	}
}

func TestOfSeveralCollectorsOneIsElected(t *testing.T) {
	dir := t.TempDir()
	one, two := opened(t, dir), opened(t, dir)
	first := collecting(t, one)
	await(t, "the first to be elected", first)
	second := collecting(t, two)
	if second() {
		t.Error("both are elected")
	}
	one.Close()
	await(t, "the second to be elected when the first is not", func() bool { return second() && !first() })
}

func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for !is() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain for %s", what)
		case <-time.After(time.Millisecond):
		}
	}
}
