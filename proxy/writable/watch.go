// Package writable knows whether the store can be written. A store that cannot goes on being read, and its mirror streams
// through what is not in it; what is lost is that anything new is kept, and that is told once, when it begins and when it
// is over.
package writable

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"

	"github.com/registryhub/registryhub/proxy/metrics"
	"github.com/registryhub/registryhub/proxy/store"
)

const (
	// Every is how often a store is tried that nobody complains of.
	Every = time.Minute
	// AgainEvery is how often one is tried that could not be written.
	AgainEvery = 5 * time.Second
)

// Options of a Watch. All are required.
type Options struct {
	// Hub is the hub's name, for logs.
	Hub     string
	Store   store.Prober
	Logger  logr.Logger
	Metrics *metrics.Metrics
}

// Watch tries the store from time to time while it runs.
type Watch struct {
	Options
	failures chan error

	// trouble is written by Run alone; nil while the store can be written.
	trouble atomic.Pointer[error]
}

// New returns a Watch, which does nothing until Run. Until the first try the store is taken to be writable.
func New(options Options) *Watch {
	options.Metrics.Writable(true)
	return &Watch{Options: options, failures: make(chan error, 1)}
}

// Failed says that the store failed a write with that error. It does not wait.
func (w *Watch) Failed(err error) {
	select {
	case w.failures <- err:
	default: // one is being told of already
	}
}

// Trouble is why the store cannot be written; nil when it can.
func (w *Watch) Trouble() error {
	if err := w.trouble.Load(); err != nil {
		return *err
	}
	return nil
}

// Run watches until the context ends. It is called once.
func (w *Watch) Run(ctx context.Context) {
	for {
		err := w.Store.Probe(ctx)
		w.forgetFailures()
		if ctx.Err() == nil {
			w.found(err)
		}
		if !w.wait(ctx) {
			return
		}
	}
}

// forgetFailures drops what was complained of before a try ended, which may have taken long: the try is the newer word.
func (w *Watch) forgetFailures() {
	select {
	case <-w.failures: //nolint:errcheck // It is what is dropped.
	default:
	}
}

// wait waits for the next try: false when the context has ended. What is complained of is believed without a try, which
// may well succeed: a disk can fail in one place alone.
func (w *Watch) wait(ctx context.Context) bool {
	timer := time.NewTimer(w.interval())
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
			return true
		case err := <-w.failures:
			if w.Trouble() == nil {
				w.found(err)
				timer.Reset(w.interval())
			}
		}
	}
}

func (w *Watch) interval() time.Duration {
	if w.Trouble() != nil {
		return AgainEvery
	}
	return Every
}

// found tells what changed.
func (w *Watch) found(err error) {
	failed, fails := w.Trouble() != nil, err != nil
	w.trouble.Store(&err)
	w.Metrics.Writable(!fails)
	switch {
	case fails && !failed:
		w.Logger.Error(err, "store cannot be written: what it holds is served, and nothing new is kept", "hub", w.Hub)
	case failed && !fails:
		w.Logger.Info("store can be written again", "hub", w.Hub)
	}
}
