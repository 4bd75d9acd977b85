package pullthrough

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/registryhub/registryhub/proxy/store"
)

// bufferSize is what one transfer holds in memory.
const bufferSize = 128 << 10

var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// filling is what the goroutine of a fill works with.
type filling struct {
	*Mirror
	*fill
	partial  store.Partial
	transfer *transfer
	verifier *store.Verifier
	written  int64
}

// fill brings a blob into the store, from where an earlier fill left it.
func (m *Mirror) fill(ctx context.Context, f *fill) error {
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
		Mirror: m, fill: f, partial: partial, written: partial.Len(),
		transfer: m.newTransfer(f.source, partial.Len()),
		verifier: store.NewVerifier(f.source.digest, -1),
	}
	if err := work.hashAgain(ctx); err != nil {
		return errors.Join(errNotKept, m.storeTrouble(err), partial.Discard())
	}
	if proof, err := work.verifier.Proof(); err == nil && work.written > 0 {
		work.begin(work.written, false)
		return work.commit(ctx, proof)
	}
	return work.fetch(ctx)
}

// hashAgain hashes what an earlier fill left from the store: nothing that it remembered of the bytes can outlive them.
func (w *filling) hashAgain(ctx context.Context) error {
	if w.written == 0 {
		return nil
	}
	reader, err := w.partial.Reader(ctx)
	if err != nil {
		return err
	}
	_, err = send(ctx, w.verifier, reader, 0, w.written)
	return errors.Join(err, reader.Close())
}

// begin lets clients have what is there of a blob of that size.
func (w *filling) begin(size int64, confirmed bool) {
	w.change(func(s *state) { s.size, s.partial, s.confirmed = size, w.partial, confirmed })
	w.release(false)
}

// release lets clients have what is written: all of it, or all but what is held back.
func (w *filling) release(all bool) {
	w.change(func(s *state) {
		s.readable = w.written
		if !all {
			s.readable = max(0, min(w.written, s.size-heldBack))
		}
	})
}

func (w *filling) fetch(ctx context.Context) error {
	err := w.transfer.open(ctx)
	if w.transfer.leftTooMuch(err) {
		// What was left is not of this blob: it begins again.
		if err := errors.Join(w.transfer.close(), w.partial.Discard()); err != nil {
			return errors.Join(errNotKept, w.storeTrouble(err))
		}
		return w.Mirror.fill(ctx, w.fill)
	}
	if err != nil {
		return errors.Join(err, w.suspend())
	}
	w.begin(w.transfer.size, true)
	return w.pump(ctx)
}

// pump moves bytes until the blob is whole.
func (w *filling) pump(ctx context.Context) error {
	buffer := buffers.Get().(*[bufferSize]byte) //nolint:forcetypeassert // the pool holds nothing else
	defer buffers.Put(buffer)
	for {
		n, err := w.transfer.read(ctx, buffer[:])
		if errors.Is(err, io.EOF) {
			return w.finish(ctx)
		}
		if err != nil {
			return errors.Join(err, w.transfer.close(), w.suspend())
		}
		kept, err := w.partial.Write(buffer[:n])
		_, _ = w.verifier.Write(buffer[:kept]) // never fails
		w.written += int64(kept)
		if err != nil {
			return w.giveUp(err)
		}
		w.release(false)
	}
}

// giveUp leaves the readers to themselves at the last byte that the store took.
func (w *filling) giveUp(cause error) error {
	w.release(true)
	w.change(func(s *state) { s.verifier = w.verifier })
	ended := errors.Join(w.transfer.close(), w.partial.Discard()) // before it is said that the store is full
	return errors.Join(fmt.Errorf("%w: %w", errNotKept, w.storeTrouble(cause)), ended)
}

// suspend keeps what is there for the next fill, which may be that of another process.
func (w *filling) suspend() error {
	if w.written == 0 {
		return w.storeTrouble(w.partial.Discard())
	}
	return w.storeTrouble(w.partial.Close())
}

func (w *filling) finish(ctx context.Context) error {
	closed := w.transfer.close()
	proof, err := w.verifier.Proof()
	if err != nil {
		return errors.Join(w.mismatched(w.source, w.transfer.from.Name(), err), closed, w.partial.Discard())
	}
	return w.commit(ctx, proof)
}

// commit lets clients have the end, which is verified now, and makes the blob durable behind them. They lose nothing
// when the store cannot take it. A link stands before what it leads to.
func (w *filling) commit(ctx context.Context, proof store.Proof) error {
	w.condemned.lift(w.source.digest)
	w.release(true)
	if w.confirmed {
		w.link(ctx, w.source)
	}
	_ = w.storeTrouble(w.partial.Commit(ctx, proof)) // counted and told there
	return nil
}
