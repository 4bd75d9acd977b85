// Package scrub reads what a store holds again, slowly and for ever, so that what a disk lets rot is found before it is
// asked for. What is wrong is put aside and fetched again when somebody wants it.
package scrub

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/metrics"
	"github.com/registryhub/registryhub/proxy/store"
)

// standEvery is how often a process that is not elected to scrub looks whether it is.
const standEvery = time.Minute

// Options of a Scrubber. All are required.
type Options struct {
	// Hub is the hub's name, for logs.
	Hub string
	// Store that is scrubbed. Of the processes that have a store.Shared the one that is elected does.
	Store store.Scrubbable
	// Every is how long a round takes in which every object is read once. A store that cannot be read in that time, at
	// BytesPerSecond, takes longer. 0: nothing is read.
	Every time.Duration
	// BytesPerSecond is the most that is read.
	BytesPerSecond int64
	Logger         logr.Logger
	Metrics        *metrics.Metrics
}

// Scrubber scrubs a store while it runs.
type Scrubber struct {
	Options
	pacer pacer
	paces chan pace
}

// pace is how fast a store is read.
type pace struct {
	every          time.Duration
	bytesPerSecond int64
}

// New returns a Scrubber, which does nothing until Run.
func New(options Options) *Scrubber {
	return &Scrubber{Options: options, pacer: pacer{bytesPerSecond: options.BytesPerSecond}, paces: make(chan pace, 1)}
}

// SetPace scrubs at another pace from now on; the part whose turn it is begins anew. It does not wait. It must not be called
// concurrently.
func (s *Scrubber) SetPace(every time.Duration, bytesPerSecond int64) {
	select {
	case <-s.paces: // one that was not seen yet
	default:
	}
	s.paces <- pace{every, bytesPerSecond}
}

// Run scrubs until the context ends. It is called once.
func (s *Scrubber) Run(ctx context.Context) {
	for ctx.Err() == nil {
		s.runUntilPaced(ctx)
	}
}

// runUntilPaced scrubs until there is another pace, and takes that.
func (s *Scrubber) runUntilPaced(ctx context.Context) {
	rounds, end := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { s.rounds(rounds) })
	next := s.nextPace(ctx)
	end()
	running.Wait()
	s.Every, s.BytesPerSecond, s.pacer.bytesPerSecond = next.every, next.bytesPerSecond, next.bytesPerSecond
}

// nextPace waits for a pace that is another one, or for the context's end.
func (s *Scrubber) nextPace(ctx context.Context) pace {
	now := pace{s.Every, s.BytesPerSecond}
	for {
		select {
		case <-ctx.Done():
			return now
		case next := <-s.paces:
			if next != now {
				return next
			}
		}
	}
}

// rounds scrubs one part of the store after the other, each when its time has come, or late, when the one before took
// long. Who is elected in the middle of a part begins it anew, as after a restart.
func (s *Scrubber) rounds(ctx context.Context) {
	if s.Every == 0 {
		return
	}
	turn := slotAt(time.Now(), s.Every)
	for sleep(ctx, time.Until(turn.begins(s.Every))) == nil {
		if !s.elected(ctx) {
			_ = sleep(ctx, standEvery) // the loop sees the context's end
			turn = slotAt(time.Now(), s.Every)
			continue
		}
		s.tell(ctx, s.Store.Tidy(ctx))
		s.tell(ctx, s.scrub(ctx, turn.part()))
		turn++
	}
}

func (s *Scrubber) elected(ctx context.Context) bool {
	shared, ok := s.Store.(store.Shared)
	return !ok || shared.Elected(ctx)
}

func (s *Scrubber) scrub(ctx context.Context, part byte) error {
	var due []digest.Digest // first, so that the store is not held while it is read
	err := s.Store.Part(ctx, part, func(d digest.Digest) error {
		due = append(due, d)
		return nil
	})
	if err != nil {
		return err
	}
	var first error
	for _, d := range due {
		if err := s.one(ctx, d); ctx.Err() != nil {
			return ctx.Err()
		} else if first == nil {
			first = err
		}
	}
	return first
}

// one scrubs an object. What went since it was listed is nobody's business.
func (s *Scrubber) one(ctx context.Context, d digest.Digest) error {
	size, err := s.Store.Scrub(ctx, d, s.pace)
	switch {
	case err == nil:
		s.Metrics.Scrubbed(size)
	case errors.Is(err, store.ErrDamaged):
		s.Metrics.Scrubbed(size)
		s.Metrics.Damaged(metrics.Scrubbed)
		s.Logger.Info("damaged object put aside", "hub", s.Hub, "digest", d.String(), "cause", err.Error())
	case !errors.Is(err, store.ErrNotFound):
		return err
	}
	return nil
}

func (s *Scrubber) pace(ctx context.Context, bytes int64) error {
	return sleep(ctx, s.pacer.wait(time.Now(), bytes))
}

// tell tells an error of a part, the first, once.
func (s *Scrubber) tell(ctx context.Context, err error) {
	if err == nil || ctx.Err() != nil {
		return
	}
	s.Metrics.StoreError()
	s.Logger.Error(err, "store not scrubbed", "hub", s.Hub)
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
