// Package census counts what a store holds, again and again. Nothing need be remembered, and what others do to the same
// place is counted too.
package census

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/store"
)

const (
	// AtMostEvery is how often a store is counted that is counted in no time.
	AtMostEvery = time.Minute
	// share keeps the counting to that part of the time: a count that took a second is followed by the next one seventeen
	// minutes later.
	share = 1000
)

// Options of a Census. All are required.
type Options struct {
	// Hub is the hub's name, for logs.
	Hub    string
	Store  store.Scrubbable
	Logger logr.Logger
}

// Census counts the objects of a store while it runs.
type Census struct {
	Options
	objects atomic.Pointer[int64]
}

// New returns a Census, which does nothing until Run.
func New(options Options) *Census { return &Census{Options: options} }

// Objects is the last count; false until there is one.
func (c *Census) Objects() (int64, bool) {
	if counted := c.objects.Load(); counted != nil {
		return *counted, true
	}
	return 0, false
}

// Run counts until the context ends. A count that fails leaves the one before in place: who watches the store tells of its
// trouble.
func (c *Census) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		began := time.Now()
		counted, err := c.count(ctx)
		if err == nil {
			c.objects.Store(&counted)
		} else if ctx.Err() == nil {
			c.Logger.V(1).Info("store not counted", "hub", c.Hub, "error", err.Error())
		}
		timer.Reset(max(AtMostEvery, share*time.Since(began)))
	}
}

func (c *Census) count(ctx context.Context) (objects int64, err error) {
	for part := range store.Parts {
		err := c.Store.Part(ctx, byte(part), func(digest.Digest) error {
			objects++
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	return objects, nil
}
