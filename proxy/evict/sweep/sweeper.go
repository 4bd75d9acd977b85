package sweep

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"

	"github.com/registryhub/registryhub/proxy/evict"
	"github.com/registryhub/registryhub/proxy/metrics"
	"github.com/registryhub/registryhub/proxy/store"
)

const (
	// Every is how often the store is measured, which is one system call.
	Every = 10 * time.Second
	// ScanAtMostEvery keeps a store that stays full, whatever goes, from being scanned all the time.
	ScanAtMostEvery = 10 * time.Minute
)

// Options of a Sweeper. All are required.
type Options struct {
	// Hub is the hub's name, for logs.
	Hub     string
	Store   store.Evictable
	Policy  evict.Policy
	Logger  logr.Logger
	Metrics *metrics.Metrics
}

// Sweeper keeps a store within its watermarks while it runs.
type Sweeper struct {
	Options
	kicks    chan struct{}
	scanned  chan *evict.Table
	policies chan evict.Policy

	// What is below, and the policy, belongs to Run.
	table    *evict.Table // empty, or what the last scan found
	scanning bool
	began    time.Time // the last scan
	running  sync.WaitGroup

	// Written by Run alone.
	short   atomic.Bool // nothing more could go, and it was not enough
	figures atomic.Pointer[Figures]
	largest atomic.Int64 // bytes of an object; 0 until the store was measured
}

// Figures are what a Sweeper found last, and did.
type Figures struct {
	// Usage is how full the store is; zero until it was measured.
	Usage store.Usage
	// LastEviction is when something was last removed; zero when nothing was.
	LastEviction time.Time
}

// New returns a Sweeper, which does nothing until Run.
func New(options Options) *Sweeper {
	return &Sweeper{
		Options: options, kicks: make(chan struct{}, 1), scanned: make(chan *evict.Table, 1),
		policies: make(chan evict.Policy, 1), table: &evict.Table{},
	}
}

// Kick says that the store refused a write for want of room. It does not wait.
func (s *Sweeper) Kick() {
	select {
	case s.kicks <- struct{}{}:
	default: // one is waiting already
	}
}

// SetPolicy holds the store to another policy from now on. It does not wait. It must not be called concurrently.
func (s *Sweeper) SetPolicy(policy evict.Policy) {
	select {
	case <-s.policies: // one that was not seen yet
	default:
	}
	s.policies <- policy
}

// Short reports whether the store stays over its low watermark although all went that can: others fill the place, or
// everything is in use.
func (s *Sweeper) Short() bool { return s.short.Load() }

// Keeps reports whether the store is large enough for an object of so many bytes. Until it was measured it is. It does not
// wait.
func (s *Sweeper) Keeps(size int64) bool {
	largest := s.largest.Load()
	return largest == 0 || size <= largest
}

// Figures are at most Every old. It does not wait.
func (s *Sweeper) Figures() Figures {
	if last := s.figures.Load(); last != nil {
		return *last
	}
	return Figures{}
}

// Run sweeps until the context ends. It is called once.
func (s *Sweeper) Run(ctx context.Context) {
	defer s.running.Wait()
	if s.elected(ctx) {
		s.scan(ctx)
	}
	ticker := time.NewTicker(Every)
	defer ticker.Stop()
	for full := false; ; {
		s.sweep(ctx, full)
		full = false
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-s.kicks:
			full = true
		case s.Policy = <-s.policies:
		case s.table = <-s.scanned:
			s.scanning = false
		}
	}
}

// scan makes a new table behind the loop, which samples meanwhile.
func (s *Sweeper) scan(ctx context.Context) {
	s.scanning, s.began = true, time.Now()
	s.running.Go(func() {
		table := &evict.Table{}
		err := s.Store.Walk(ctx, func(e store.Entry) error {
			table.Add(e)
			return nil
		})
		if err != nil {
			s.trouble(ctx, err, "store not scanned for what to evict") // what was found serves as well
		}
		table.Sort()
		s.scanned <- table
	})
}

// scanIfDue scans when the table is at its end, and there is something to find: while room is short, or when what was
// used last at the time of the last scan can have become idle.
func (s *Sweeper) scanIfDue(ctx context.Context, short bool) {
	if _, more := s.table.Oldest(); more || s.scanning {
		return
	}
	age := time.Since(s.began)
	idle := s.Policy.MaxIdle > 0 && age >= s.Policy.MaxIdle
	if age >= ScanAtMostEvery && (short || idle) {
		s.scan(ctx)
	}
}

func (s *Sweeper) trouble(ctx context.Context, err error, message string) {
	if ctx.Err() != nil {
		return
	}
	s.Metrics.StoreError()
	if errors.Is(err, store.ErrFailing) {
		s.Logger.V(1).Info(message, "hub", s.Hub, "error", err.Error()) // who watches the store tells when that begins and ends
		return
	}
	s.Logger.Error(err, message, "hub", s.Hub)
}
