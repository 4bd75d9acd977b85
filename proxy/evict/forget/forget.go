// Package forget has a mirror's store forget the names of what went from it. They are small, but evicting objects leaves them
// all, and whoever asks for lists has as many made as he likes: in the end they would take the files that the volume can have.
package forget

import (
	"context"
	"time"

	"github.com/go-logr/logr"

	"github.com/registryhub/registryhub/proxy/metrics"
	"github.com/registryhub/registryhub/proxy/store"
)

const (
	// FirstAfter is how long nothing is forgotten after a start, which has enough to read.
	FirstAfter = 3 * time.Second
	// LookEvery is how often it is seen whether the store is short of room.
	LookEvery = 10 * time.Minute
	// Every is how often names are forgotten while it is not.
	Every = 6 * time.Hour
	// Age is how long ago a link or tag must have been written to be forgotten. An image is pulled in less.
	Age = 24 * time.Hour
	// ListsAge is that of lists. Who looks at one again writes it again.
	ListsAge = 30 * 24 * time.Hour
	// ShortAge is that of all while the store is short of room and nothing else can go.
	ShortAge = time.Hour
)

// Options of a Forgetter. All are required.
type Options struct {
	// Hub is the hub's name, for logs.
	Hub   string
	Store store.Forgetful
	// Short reports whether the store is short of room although all objects went that can.
	Short   func() bool
	Logger  logr.Logger
	Metrics *metrics.Metrics
}

// Forgetter forgets while it runs.
type Forgetter struct{ Options }

// New returns a Forgetter, which does nothing until Run.
func New(options Options) *Forgetter { return &Forgetter{options} }

// Run forgets until the context ends.
func (f *Forgetter) Run(ctx context.Context) {
	next := time.NewTimer(FirstAfter)
	defer next.Stop()
	var last time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-next.C:
		}
		now := time.Now()
		switch {
		case !f.elected(ctx):
		case f.Short():
			last = now
			f.forget(ctx, now.Add(-ShortAge), now.Add(-ShortAge))
		case now.Sub(last) >= Every:
			last = now
			f.forget(ctx, now.Add(-Age), now.Add(-ListsAge))
		}
		next.Reset(LookEvery)
	}
}

func (f *Forgetter) elected(ctx context.Context) bool {
	shared, is := f.Store.(store.Shared)
	return !is || shared.Elected(ctx)
}

func (f *Forgetter) forget(ctx context.Context, since, listsSince time.Time) {
	names, err := f.Store.Forget(ctx, since, listsSince)
	if err != nil && ctx.Err() == nil {
		f.Metrics.StoreError()
		f.Logger.V(1).Info("names were not forgotten", "hub", f.Hub, "error", err.Error()) // who watches the store tells of its trouble
	}
	if names > 0 {
		f.Metrics.Forgotten(names)
		f.Logger.Info("names of what went were forgotten", "hub", f.Hub, "names", names)
	}
}
