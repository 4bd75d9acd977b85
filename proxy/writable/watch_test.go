package writable_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/registryhub/registryhub/proxy/metrics"
	"github.com/registryhub/registryhub/proxy/store"
	"github.com/registryhub/registryhub/proxy/writable"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// place is a store that may fail.
type place struct {
	mu     sync.Mutex
	err    error
	probes int
}

func (p *place) Probe(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.probes++
	return p.err
}

// becomes changes what a probe finds, and returns how many there were.
func (p *place) becomes(err error) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = err
	was := p.probes
	p.probes = 0
	return was
}

// world is a watch that runs, and what it tells.
type world struct {
	*writable.Watch
	registry *prometheus.Registry
	mu       sync.Mutex
	lines    []string
}

func run(t *testing.T, p store.Prober) *world {
	t.Helper()
	w := &world{registry: prometheus.NewRegistry()}
	logger := funcr.NewJSON(func(line string) {
		w.mu.Lock()
		defer w.mu.Unlock()
		_, message, _ := strings.Cut(line, `"msg":"`)
		message, _, _ = strings.Cut(message, `"`)
		w.lines = append(w.lines, strings.SplitN(message, ":", 2)[0])
	}, funcr.Options{})
	w.Watch = writable.New(writable.Options{Hub: "hub", Store: p, Logger: logger, Metrics: metrics.New(w.registry)})
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { w.Run(ctx) })
	t.Cleanup(func() {
		stop()
		running.Wait()
	})
	synctest.Wait()
	return w
}

// after lets time pass.
func after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func (w *world) want(t *testing.T, writable bool, told ...string) {
	t.Helper()
	families, err := w.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "registryhub_proxy_store_writable" && (family.GetMetric()[0].GetGauge().GetValue() == 1) != writable {
			t.Errorf("writable is not %v: %v", writable, family)
		}
	}
	if err := w.Trouble(); (err == nil) != writable {
		t.Errorf("its trouble is %v, want none: %v", err, writable)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if diff := cmp.Diff(told, w.lines); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	w.lines = nil
}

const (
	cannot = "store cannot be written"
	can    = "store can be written again"
)

var errReadOnly = fmt.Errorf("writing: %w", store.ErrFailing)

func TestTroubleIsToldWhenItBeginsAndWhenItIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &place{}
		w := run(t, p)
		after(time.Hour)
		w.want(t, true)
		if probes := p.becomes(errReadOnly); probes > 61 {
			t.Errorf("a store that is well was tried %d times in an hour", probes)
		}
		after(writable.Every)
		w.want(t, false, cannot)
		p.becomes(errReadOnly)
		for range 1000 {
			w.Failed(errReadOnly)
			after(time.Second)
		}
		w.want(t, false)
		if probes := p.becomes(nil); probes < 150 || probes > 210 {
			t.Errorf("a store that fails was tried %d times in 1000 s, want about one in 5 s", probes)
		}
		after(writable.AgainEvery)
		w.want(t, true, can)
		after(time.Hour)
		w.want(t, true)
	})
}

func TestWhatIsComplainedOfIsBelievedUntilATrySucceeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := run(t, &place{})
		w.Failed(errReadOnly)
		synctest.Wait()
		w.want(t, false, cannot)
		after(writable.AgainEvery)
		w.want(t, true, can)
	})
}

func TestAStoreThatCannotBeWrittenAtTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &place{err: errors.New("no room")}
		w := run(t, p)
		w.want(t, false, cannot)
		p.becomes(nil)
		after(writable.AgainEvery)
		w.want(t, true, can)
	})
}
