package pullthrough

import (
	"context"
	"errors"
	"sync"
	"time"

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

// fill brings a blob into the store, once for all who want it of one host. It belongs to the Mirror. Requests follow it, each at
// its own place and its own pace, with a reader of the store's; what they see of it is below mu. Of two hosts with the same
// blob the first fills it, and the other streams it from its own upstreams meanwhile.
type fill struct {
	source source
	// expected is the size that a manifest says, 0 where none does.
	expected int64

	mu      sync.Mutex
	waiters map[*waiter]struct{}
	state
	plan plan
	// hire begins the transfers that the plan has need of; nil until the size is known.
	hire func()
}

// state of a fill.
type state struct {
	// size of the blob, -1 until it is known.
	size int64
	// released says that clients may have the end of the blob as well.
	released bool
	// confirmed says that the upstream has answered for the source's repository.
	confirmed bool
	// partial is where the bytes are; nil until there are any to come.
	partial store.Partial
	// ended says that nothing changes any more; err is nil when the blob is in the store, or was not kept after all
	// of it was readable.
	ended bool
	err   error
	// verifier has hashed the bytes from the start that are there, when err is errNotKept.
	verifier *store.Verifier
}

// waiter waits for a change of a fill.
type waiter struct {
	// offset of the byte that is waited for, -1 for any change but those of bytes.
	offset int64
	woken  chan struct{}
}

// change changes the fill and wakes who waits for it.
func (f *fill) change(how func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	how()
	for w := range f.waiters {
		w.wake()
	}
}

// wakeReaders wakes those who may have the byte that they wait for, for who holds mu. Of many clients, and with several
// segments on their way, most bytes concern few.
func (f *fill) wakeReaders() {
	for w := range f.waiters {
		if w.offset >= 0 && f.readable(w.offset) > w.offset {
			w.wake()
		}
	}
}

func (w *waiter) wake() {
	select {
	case w.woken <- struct{}{}:
	default:
	}
}

// readable is where the bytes end that clients may have from an offset on, for who holds mu.
func (f *fill) readable(offset int64) int64 {
	end := f.plan.have.From(offset)
	if !f.released {
		end = min(end, f.size-heldBack)
	}
	return max(end, offset)
}

// await waits until clients may have bytes from an offset on, or the fill has ended, and returns where those bytes end.
// Meanwhile they are fetched before others.
func (f *fill) await(ctx context.Context, offset int64) (end int64, now state, err error) {
	wanted := false
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		end = f.readable(offset)
		if end > offset || f.ended {
			err = nil
			break
		}
		if !wanted {
			wanted = true
			f.want(offset)
		}
		if err = f.pause(ctx, offset); err != nil {
			break
		}
	}
	if wanted {
		f.unwant(offset)
	}
	return end, f.state, err
}

// pause waits for a change, without the lock that its caller holds.
func (f *fill) pause(ctx context.Context, offset int64) error {
	w := &waiter{offset: offset, woken: make(chan struct{}, 1)}
	f.waiters[w] = struct{}{}
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		delete(f.waiters, w)
	}()
	select {
	case <-w.woken:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (f *fill) want(offset int64) {
	if f.plan.wants == nil {
		f.plan.wants = map[int64]int{}
	}
	f.plan.wants[offset]++
	if f.hire != nil {
		f.hire()
	}
}

func (f *fill) unwant(offset int64) {
	if f.plan.wants[offset]--; f.plan.wants[offset] == 0 {
		delete(f.plan.wants, offset)
	}
}

// until waits for a state, or the end of the fill, and returns what it is then.
func (f *fill) until(ctx context.Context, reached func() bool) (state, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for !f.ended && !reached() {
		if err := f.pause(ctx, -1); err != nil {
			return f.state, err
		}
	}
	return f.state, nil
}

// wait waits until the size of the blob is known. A fill that ended without bringing a byte gives its error.
func (f *fill) wait(ctx context.Context, atMost time.Duration) error {
	bounded, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	now, err := f.until(bounded, func() bool { return f.size >= 0 })
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return distspec.Unavailable(errSlow)
	case now.size < 0:
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
	active map[hosted]*fill
}

// join returns the fill of a host's blob, begun now unless one was under way: then joined is true.
func (fs *fills) join(m *Mirror, s source, expected int64) (f *fill, joined bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if f, ok := fs.active[s.hosted()]; ok {
		return f, true
	}
	f = &fill{source: s, expected: expected, waiters: map[*waiter]struct{}{}, state: state{size: -1}}
	fs.active[s.hosted()] = f
	m.Metrics.FillBegun()
	m.work.run(func(ctx context.Context) {
		err := m.admitted(ctx, f)
		fs.mu.Lock()
		delete(fs.active, s.hosted())
		fs.mu.Unlock()
		f.change(func() { f.ended, f.err = true, err })
		m.Metrics.FillEnded()
	})
	return f, false
}
