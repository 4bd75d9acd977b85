package pullthrough

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/distspec"
	"github.com/registryhub/registryhub/proxy/store"
)

// heldBack is how much of the end of a blob no client gets before the digest of the whole is right. Without the end
// nobody has the object.
const heldBack = 64 << 10

var (
	// errWhole ends a fill that was not needed: the object is in the store.
	errWhole = errors.New("the blob is in the store")
	// errNotKept ends a fill that the store cannot take: each reader goes on with a transfer of its own.
	errNotKept = errors.New("the store cannot take the blob")
)

// fill is the one transfer of a blob into the store. It belongs to the Mirror. Requests follow it, each at its own
// place and its own pace, with a reader of the store's; what they see of it is below mu.
type fill struct {
	source source

	mu      sync.Mutex
	changed chan struct{} // closed, and replaced, at every change
	state
}

// state of a fill.
type state struct {
	// size of the blob, -1 until it is known.
	size int64
	// readable is how many bytes from the start may be given to clients.
	readable int64
	// confirmed says that the upstream has answered for the source's repository.
	confirmed bool
	// partial is where the bytes are; nil until there are any to come.
	partial store.Partial
	// ended says that nothing changes any more; err is nil when the blob is in the store, or was not kept after all
	// of it was readable.
	ended bool
	err   error
	// verifier has hashed the first readable bytes, when err is errNotKept.
	verifier *store.Verifier
}

// change changes the state and wakes who waits for it.
func (f *fill) change(how func(*state)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	how(&f.state)
	close(f.changed)
	f.changed = make(chan struct{})
}

// until waits for a state, or the end of the fill, and returns what it is then.
func (f *fill) until(ctx context.Context, reached func(*state) bool) (state, error) {
	for {
		f.mu.Lock()
		now, changed := f.state, f.changed
		f.mu.Unlock()
		if now.ended || reached(&now) {
			return now, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return now, ctx.Err()
		}
	}
}

// wait waits until the size of the blob is known. A fill that ended without bringing a byte gives its error.
func (f *fill) wait(ctx context.Context, atMost time.Duration) error {
	bounded, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	now, err := f.until(bounded, func(s *state) bool { return s.size >= 0 })
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return distspec.Unavailable(errSlow)
	case now.ended && now.readable == 0:
		return now.err
	default:
		return nil
	}
}

// asked reports whether the upstream has said that the repository of s has the blob.
func (f *fill) asked(s source) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.confirmed && f.source == s
}

// fills are those under way.
type fills struct {
	mu     sync.Mutex
	active map[digest.Digest]*fill
}

// join returns the fill of a blob, begun now unless one was under way: then joined is true.
func (fs *fills) join(m *Mirror, s source) (f *fill, joined bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if f, ok := fs.active[s.digest]; ok {
		return f, true
	}
	f = &fill{source: s, changed: make(chan struct{}), state: state{size: -1}}
	fs.active[s.digest] = f
	m.Metrics.FillBegun()
	m.work.run(func(ctx context.Context) {
		err := m.fill(ctx, f)
		fs.mu.Lock()
		delete(fs.active, s.digest)
		fs.mu.Unlock()
		f.change(func(s *state) { s.ended, s.err = true, err })
		m.Metrics.FillEnded()
	})
	return f, false
}

// errCondemned answers who asks for the rest of a blob that turned out wrong.
var errCondemned = errors.New("a transfer of this blob was thrown away: its bytes were not those of the digest")

// condemnedFor is how long such a client is sent elsewhere, so that it does not complete the wrong beginning that it may
// have.
const condemnedFor = time.Minute

// condemned are the digests that were lately found to be something else.
type condemned struct {
	mu    sync.Mutex
	until map[digest.Digest]time.Time
}

func (c *condemned) add(d digest.Digest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.until == nil {
		c.until = map[digest.Digest]time.Time{}
	}
	for other, until := range c.until {
		if time.Now().After(until) {
			delete(c.until, other)
		}
	}
	c.until[d] = time.Now().Add(condemnedFor)
}

// lift ends it, when the right bytes are there.
func (c *condemned) lift(d digest.Digest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.until, d)
}

func (c *condemned) has(d digest.Digest) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Before(c.until[d])
}

// mismatched condemns a digest and says so.
func (m *Mirror) mismatched(s source, from string, err error) error {
	m.condemned.add(s.digest)
	m.Metrics.Mismatch()
	m.Logger.Info("transfer thrown away", "hub", m.Hub, "host", s.host.Name, "repository", s.repository.Name,
		"upstream", from, "digest", s.digest.String(), "error", err.Error())
	return fmt.Errorf("%w: %w", errCondemned, err)
}
