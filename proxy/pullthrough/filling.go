package pullthrough

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/registryhub/registryhub/proxy/store"
	"github.com/registryhub/registryhub/proxy/upstream"
)

// filling is what a fill works with. Its own goroutine hashes the bytes from the first to the last, as they are in the
// store; its crew brings them, in any order.
type filling struct {
	*Mirror
	*fill
	segments Segments
	partial  store.Partial
	verifier *store.Verifier
	crew     crew
}

// admitted waits for its turn among the fills, so that what they hold in memory is bounded.
func (m *Mirror) admitted(ctx context.Context, f *fill) error {
	select {
	case m.turns <- struct{}{}:
		defer func() { <-m.turns }()
		return m.fillOrRetry(ctx, f)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// fillOrRetry begins again after wrong bytes of which no client has any, at the next upstream where there is one.
func (m *Mirror) fillOrRetry(ctx context.Context, f *fill) error {
	for tries := max(2, len(f.source.host.Upstreams)); ; tries-- {
		err := m.fill(ctx, f)
		if tries == 1 || !errors.Is(err, errCondemned) || f.size > heldBack {
			return err
		}
		f.change(func() { f.plan = plan{wants: f.plan.wants} })
	}
}

// fill brings a blob into the store, from where an earlier fill left it.
func (m *Mirror) fill(ctx context.Context, f *fill) error {
	if !m.Keeps(f.expected) {
		return errNotKept
	}
	partial, err := m.Store.Partial(ctx, f.source.digest, -1)
	switch {
	case errors.Is(err, store.ErrExists):
		return errWhole
	case errors.Is(err, store.ErrLocked):
		return errNotKept // a predecessor that drains has it
	case err != nil:
		return fmt.Errorf("%w: %w", errNotKept, m.storeTrouble(err))
	}
	work := &filling{
		Mirror: m, fill: f, segments: m.settings.Load().Segments, partial: partial, verifier: store.NewVerifier(f.source.digest, -1),
	}
	whole, err := work.foundWhole(ctx)
	if err != nil {
		return errors.Join(errNotKept, m.storeTrouble(err), partial.Discard())
	}
	if whole {
		return work.finish(ctx)
	}
	return work.fetch(ctx)
}

// foundWhole reports whether an earlier fill left the whole blob, which needs no upstream then. What may be the whole is
// hashed before anybody is asked; of what cannot be, the beginning is hashed while the rest is fetched.
func (w *filling) foundWhole(ctx context.Context) (bool, error) {
	left := w.partial.Left()
	if len(left) != 1 || left[0].Start != 0 || left[0].End < w.expected {
		return false, nil
	}
	if err := w.hash(ctx, left[0].End); err != nil {
		return false, err
	}
	if _, err := w.verifier.Proof(); err != nil {
		return false, nil //nolint:nilerr // it is not the whole, which the upstream can bring
	}
	w.begin(left[0].End, false)
	return true, nil
}

// hash hashes the bytes up to an offset from the store: nothing that was remembered of them can outlive them.
func (w *filling) hash(ctx context.Context, end int64) error {
	reader, err := w.partial.Reader(ctx)
	if err != nil {
		return err
	}
	err = w.hashFrom(ctx, reader, end)
	return errors.Join(err, reader.Close())
}

func (w *filling) hashFrom(ctx context.Context, reader store.Reader, end int64) error {
	section, err := reader.Section(ctx, w.verifier.Offset(), end-w.verifier.Offset())
	if err != nil {
		return err
	}
	b := w.buffers.get()
	defer b.free()
	b.grow()
	_, err = io.CopyBuffer(w.verifier, struct{ io.Reader }{section}, b.whole())
	if err == nil && w.verifier.Offset() < end {
		err = io.ErrUnexpectedEOF
	}
	return errors.Join(err, section.Close())
}

// begin lets clients have what is there of a blob of that size.
func (w *filling) begin(size int64, confirmed bool) {
	w.change(func() {
		w.size, w.state.partial, w.confirmed = size, w.partial, confirmed
		w.plan.size, w.plan.have = size, slices.Clone(w.partial.Left())
	})
}

// fetch asks for the first bytes that are missing, learns the size by it, and then for the rest.
func (w *filling) fetch(ctx context.Context) error {
	first := w.firstTransfer()
	err := first.open(ctx)
	if w.leftTooMuch(first, err) {
		// What was left is not of this blob: it begins again.
		if err := errors.Join(first.close(), w.partial.Discard()); err != nil {
			return errors.Join(errNotKept, w.storeTrouble(err))
		}
		return w.Mirror.fill(ctx, w.fill)
	}
	if err != nil {
		return errors.Join(w.believed(w.source, err), w.suspend())
	}
	if !w.Keeps(first.size) {
		return errors.Join(errNotKept, first.close(), w.storeTrouble(w.partial.Discard()))
	}
	w.begin(first.size, true)
	return w.bring(ctx, first)
}

// firstTransfer asks for no more than a segment where the blob is known to have several, so that nothing is sent in vain.
func (w *filling) firstTransfer() *transfer {
	left := w.partial.Left()
	start := left.From(0)
	end := left.Next(start, -1)
	if w.inSegments(w.expected) && (end < 0 || end-start > w.segments.Size) && w.expected-start > w.segments.Size {
		end = start + w.segments.Size
	}
	t := w.newTransfer(w.source, start, end)
	t.expected = w.expected
	return t
}

// inSegments reports whether a blob of that size is worth several connections.
func (w *filling) inSegments(size int64) bool {
	return w.segments.Parallel > 1 && size/2 >= w.segments.Size
}

// leftTooMuch reports whether an upstream says that the blob has no bytes where an earlier fill has some.
func (w *filling) leftTooMuch(t *transfer, err error) bool {
	left := w.partial.Left()
	if len(left) == 0 || w.isBeginning(left) {
		return false
	}
	if err == nil {
		return t.size <= t.offset || t.size < left[len(left)-1].End
	}
	return upstream.Status(err) == http.StatusRequestedRangeNotSatisfiable || upstream.IsShorter(err)
}

// isBeginning reports whether what is left lies within the size that a manifest says, and is not all of it: whatever an
// upstream answers, or who answers in its place, that may be right.
func (w *filling) isBeginning(left store.Extents) bool {
	return left[len(left)-1].End <= w.expected && left.From(0) < w.expected
}

// bring has the crew fetch what is missing, and hashes it.
func (w *filling) bring(ctx context.Context, first *transfer) error {
	w.start(ctx, first)
	err := w.hashAll(ctx)
	w.dismiss()
	switch {
	case w.crew.full != nil:
		return w.giveUp(ctx, w.crew.full)
	case err != nil:
		w.stuck.add(w.source.key(), w.Now(), stuckFor)
		return errors.Join(err, w.suspend())
	default:
		return w.finish(ctx)
	}
}

// hashAll hashes the bytes as they come, until all are or no more come.
func (w *filling) hashAll(ctx context.Context) error {
	reader, err := w.partial.Reader(ctx)
	if err != nil {
		return w.unread(ctx, err)
	}
	for err == nil && w.verifier.Offset() < w.size {
		var end int64
		if end, err = w.crewBrought(ctx, w.verifier.Offset()); err == nil {
			err = w.unread(ctx, w.hashFrom(ctx, reader, end))
		}
	}
	return errors.Join(err, reader.Close())
}

// unread notes that the store did not give back what it took.
func (w *filling) unread(ctx context.Context, err error) error {
	if err != nil && ctx.Err() == nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.crew.full == nil {
			w.crew.full = err
		}
	}
	return err
}

// giveUp leaves the readers to themselves at the last byte that the store took. What is said to be there ends where it was
// hashed, so that whoever goes on from there can verify the whole.
func (w *filling) giveUp(ctx context.Context, cause error) error {
	unread := w.hash(ctx, w.plan.have.From(0)) // nobody writes to the plan any more
	w.change(func() {
		w.plan.have = store.Extents{}.Add(store.Extent{End: w.verifier.Offset()})
		w.released, w.state.verifier = true, w.verifier
	})
	ended := w.partial.Discard() // before it is said that the store is full
	return errors.Join(fmt.Errorf("%w: %w", errNotKept, w.storeTrouble(cause)), unread, ended)
}

// suspend keeps what is there for the next fill, which may be that of another process.
func (w *filling) suspend() error {
	if len(w.plan.have) == 0 && len(w.partial.Left()) == 0 {
		return w.storeTrouble(w.partial.Discard())
	}
	return w.storeTrouble(w.partial.Close())
}

// finish lets clients have the end, when it is verified, and makes the blob durable behind them. They lose nothing when
// the store cannot take it. A link stands before what it leads to.
func (w *filling) finish(ctx context.Context) error {
	proof, err := w.verifier.Proof()
	if err != nil {
		return errors.Join(w.mismatched(w.source, strings.Join(w.crew.upstreams, ","), err), w.partial.Discard())
	}
	w.condemned.lift(w.source.hosted())
	w.change(func() { w.released = true })
	if w.confirmed {
		w.link(ctx, w.source)
	}
	_ = w.storeTrouble(w.partial.Commit(ctx, proof)) // counted and told there
	return nil
}

// crew are the transfers that bring a fill's bytes. What changes of it is guarded by the fill.
type crew struct {
	// ctx is that of all transfers.
	ctx    context.Context //nolint:containedctx // it is the life of the crew, which no call has
	cancel context.CancelFunc
	all    sync.WaitGroup

	working int
	// regular is how many may work, and aside how many more while somebody waits for what none of them brings.
	regular, aside int
	// hashed is how far the hashing is, and toHash wakes it.
	hashed int64
	toHash chan struct{}
	// untold are bytes that no reader was told of yet; telling says that teller will soon tell of them.
	untold  int
	telling bool
	teller  *time.Timer
	// upstreams that sent something.
	upstreams []string
	// failed is why the last of them went.
	failed error
	// full is the store's error: it takes no more, or does not give back what it took.
	full error
}
