// Package pullthrough serves a mirror: from the store where it can, from an upstream where it must, with one
// transfer for all who ask for the same object.
//
// A request never owns a transfer. What is fetched is fetched by the Mirror, under its own context, and goes on when
// clients leave; requests wait for it, each on its own context. Nothing is kept before its digest is verified, and
// no client can complete an object from bytes that are not: see fill.go.
package pullthrough

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/semaphore"

	"github.com/registryhub/registryhub/proxy/metrics"
	"github.com/registryhub/registryhub/proxy/store"
	"github.com/registryhub/registryhub/proxy/upstream"
)

// Host is a registry host that the mirror stands for.
type Host struct {
	// Name as in image references, in lower case, with its port where it has one.
	Name string
	// Upstreams are tried in order: the next one when one cannot be reached or answers 429 or 5xx. What that one has not
	// is not known to be absent then: the one before may have it.
	Upstreams []*upstream.Client

	// generation tells it from an earlier one of its name with other upstreams.
	generation int
}

// Segments are the parts of a large blob that are fetched over several connections.
type Segments struct {
	// Size of a segment in bytes. A blob of less than two is fetched whole.
	Size int64
	// Parallel is how many segments of a blob are fetched at once; 1: blobs are never fetched in segments.
	Parallel int
}

// Options of a Mirror. All fields are required, except Keeps, Full, Failed and Now.
type Options struct {
	// Hub is the hub's name, for logs.
	Hub string
	// Store that content is kept in. The Mirror does not close it.
	Store store.Store
	// Keeps reports whether the store is large enough for a blob of so many bytes. One that it is not streams through. It must
	// not wait. Default: it always is.
	Keeps func(size int64) bool
	// Full is called whenever the store refused a write for want of room, after what was written of it is gone. It must
	// not wait. Default: nobody is told.
	Full func()
	// Failed is called whenever the store failed (store.ErrFailing), with the error. It must not wait. Default: nobody is
	// told.
	Failed func(error)

	Logger  logr.Logger
	Metrics *metrics.Metrics
	// Now is the clock of what is believed, or condemned, for a time. Default: time.Now.
	Now func() time.Time
}

// Mirror is the http.Handler of a mirror.
type Mirror struct {
	Options
	settings    atomic.Pointer[settings]
	configuring sync.Mutex
	generation  int // the last that a host was given

	work      *background
	manifests flights[manifest]
	// absent is what is not there, refused what is in the store and may not be had (401, 403), and empty lists with nothing in
	// them that the store has not.
	absent, refused, empty lately
	unwritten              unwritten

	heads     flights[upstream.Descriptor]
	fills     fills
	condemned condemned
	// stuck are blobs whose transfer was given up in the middle.
	stuck   lately
	turns   chan struct{} // taken by fills under way
	lanes   chan struct{} // taken by transfers that are not their blob's first
	buffers *buffers
	rooms   *semaphore.Weighted // taken by documents that are parsed for requests
}

// New returns a Mirror, to be closed by the caller.
func New(options Options, initial Settings) (*Mirror, error) {
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Keeps == nil {
		options.Keeps = func(int64) bool { return true }
	}
	if options.Full == nil {
		options.Full = func() {}
	}
	if options.Failed == nil {
		options.Failed = func(error) {}
	}
	m := &Mirror{
		Options: options, work: newBackground(), turns: make(chan struct{}, maxFills), lanes: make(chan struct{}, maxLanes), buffers: newBuffers(),
		rooms: semaphore.NewWeighted(maxParsed),
	}
	m.fills.active = map[hosted]*fill{}
	if err := m.Configure(initial); err != nil {
		return nil, err
	}
	return m, nil
}

// Close ends what goes on behind the requests, and waits for it. Transfers are left in the store as they are, for the
// next process to take up. Requests that still follow one are cut.
func (m *Mirror) Close() { m.work.close() }

// background runs what outlives requests.
type background struct {
	ctx    context.Context //nolint:containedctx // it is the life of the mirror, which no call has
	cancel context.CancelFunc

	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup
}

func newBackground() *background {
	ctx, cancel := context.WithCancel(context.Background())
	return &background{ctx: ctx, cancel: cancel}
}

// run runs f in the background; its context ends with the mirror. Once the mirror is closed f still runs, with a context
// that has ended, so that whoever waits for its result gets one; nobody waits for it then.
func (b *background) run(f func(ctx context.Context)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		go f(b.ctx)
		return
	}
	b.running.Go(func() { f(b.ctx) })
}

func (b *background) close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.cancel()
	b.running.Wait()
}
