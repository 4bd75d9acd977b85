// Package scrub reads what a store holds again, slowly and for ever, so that what a disk lets rot is found before it is
// asked for. What is wrong is put aside and fetched again when somebody wants it.
package scrub

import (
	"context"
	"errors"
	"time"

	"github.com/go-logr/logr"
	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/metrics"
	"github.com/registryhub/registryhub/proxy/store"
)

// Options of a Scrubber. All are required.
type Options struct {
	// Hub is the hub's name, for logs.
	Hub   string
	Store store.Scrubbable
	// Every is how long a round takes in which every object is read once. A store that cannot be read in that time, at
	// BytesPerSecond, takes longer.
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
}

// New returns a Scrubber, which does nothing until Run.
func New(options Options) *Scrubber {
	return &Scrubber{Options: options, pacer: pacer{bytesPerSecond: options.BytesPerSecond}}
}

// Run scrubs until the context ends: one part of the store after the other, each when its time has come, or late, when
// the one before took long. It is called once.
func (s *Scrubber) Run(ctx context.Context) {
	for turn := slotAt(time.Now(), s.Every); ; turn++ {
		if sleep(ctx, time.Until(turn.begins(s.Every))) != nil {
			return
		}
		s.tell(ctx, s.Store.Tidy(ctx))
		s.tell(ctx, s.scrub(ctx, turn.part()))
	}
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
