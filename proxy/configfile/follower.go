package configfile

import (
	"context"
	"time"

	"github.com/go-logr/logr"
)

const (
	// Every is how often the file is looked at whatever the kernel tells: a notification can be lost, and there is none
	// for what is changed behind a link to another directory.
	Every = 30 * time.Second
	// settle is how long nothing must have changed before the file is looked at: whoever writes it may not have ended.
	settle = 100 * time.Millisecond
)

// Options of a Follower.
type Options struct {
	// File is followed. Required.
	File string
	// Every is how often it is looked at in any case. Default: Every.
	Every time.Duration
	// Logger tells when the kernel does not notify. Default: nothing is told.
	Logger logr.Logger
}

// Follower calls for a look at a file whenever that may be another one.
type Follower struct {
	Options
	kicks chan struct{}
}

// New returns a Follower, which does nothing until Run.
func New(options Options) *Follower {
	if options.Every == 0 {
		options.Every = Every
	}
	return &Follower{Options: options, kicks: make(chan struct{}, 1)}
}

// Kick asks for a look. It does not wait.
func (f *Follower) Kick() {
	select {
	case f.kicks <- struct{}{}:
	default: // one is waiting already
	}
}

// Run calls look, once at its beginning and then whenever the file may have changed, one call after the other, until the
// context ends. Not every call means a change.
func (f *Follower) Run(ctx context.Context, look func()) {
	w := f.watch()
	defer w.close()
	ticker := time.NewTicker(f.Every)
	defer ticker.Stop()
	quiet := time.NewTimer(settle)
	quiet.Stop()
	defer quiet.Stop()
	look()
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.changed:
			quiet.Reset(settle)
			continue
		case <-quiet.C:
		case <-f.kicks:
		case <-ticker.C:
		}
		look()
	}
}
