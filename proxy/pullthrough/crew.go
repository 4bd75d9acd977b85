package pullthrough

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"
)

const (
	// tellAtOnce is what clients are told of at once.
	tellAtOnce = 64 << 10
	// tellAfter is how long fewer bytes may wait for more before clients are told of them.
	tellAfter = 5 * time.Millisecond
	// hashAtOnce is what is worth waking the hashing for.
	hashAtOnce = 1 << 20
	// maxAside bounds the transfers of one blob that are begun, beside its regular ones, for clients that wait for bytes
	// far ahead of those.
	maxAside = 8
	// maxLanes bounds, over all blobs, the transfers that are not their blob's first.
	maxLanes = 64
	// maxFills bounds the blobs that are fetched at a time. More wait for their turn.
	maxFills = 512
)

// start begins the crew with a transfer that is open already.
func (w *filling) start(ctx context.Context, first *transfer) {
	ctx, cancel := context.WithCancel(ctx)
	w.change(func() {
		w.crew.ctx, w.crew.cancel, w.crew.working, w.crew.regular = ctx, cancel, 1, 1
		w.crew.toHash, w.crew.untold = make(chan struct{}, 1), tellAtOnce // the first bytes are told of at once
		w.plan.step = max(w.size, 1)
		if first.ranges && w.inSegments(w.size) {
			w.crew.regular, w.crew.aside, w.plan.step = w.segments.Parallel, maxAside, w.segments.Size
		}
		one := &segment{at: first.offset, end: min(first.end, w.plan.have.Next(first.offset, w.size)), open: first.end == w.size}
		w.plan.taken = append(w.plan.taken, one)
		w.hire = w.enlist
		w.crew.all.Go(func() { w.work(one, first) })
		w.enlist()
	})
}

// dismiss ends the transfers, and waits for them.
func (w *filling) dismiss() {
	w.change(func() {
		w.crew.cancel()
		w.hire = nil
	})
	w.crew.all.Wait()
}

// enlist begins as many transfers as there is work and leave for, for who holds mu.
func (w *filling) enlist() {
	for w.crew.working < w.leave() && w.enterLane() {
		one := w.plan.take()
		if one == nil {
			<-w.lanes
			return
		}
		w.crew.working++
		w.crew.all.Go(func() {
			defer func() { <-w.lanes }()
			w.work(one, nil)
		})
	}
}

func (w *filling) enterLane() bool {
	select {
	case w.lanes <- struct{}{}:
		return true
	default:
		return false
	}
}

// leave is how many may work now, for who holds mu.
func (w *filling) leave() int {
	if w.crew.full != nil || w.crew.ctx.Err() != nil {
		return 0
	}
	if _, wanted := w.plan.unserved(); wanted {
		return w.crew.regular + w.crew.aside
	}
	return w.crew.regular
}

// work brings one segment after the other.
func (w *filling) work(one *segment, t *transfer) {
	for one != nil {
		if t == nil {
			t = w.newTransfer(w.source, one.at, one.end)
			t.size, t.onlyPart = w.size, !w.alone()
		}
		err := w.pump(t, one)
		err = errors.Join(err, t.close())
		one, t = w.next(one, err), nil
	}
}

// pump moves the bytes of a segment into the store.
func (w *filling) pump(t *transfer, one *segment) error {
	b := w.buffers.get()
	defer b.free()
	for {
		left := w.ahead(one)
		if left <= 0 {
			return nil
		}
		bytes := b.room(left)
		n, err := t.read(w.crew.ctx, bytes)
		if err == io.EOF { //nolint:errorlint // The end is io.EOF itself; a wrapped one is an upstream that hung up.
			return nil
		}
		if err != nil {
			return err
		}
		kept, err := w.partial.WriteAt(bytes[:n], one.at)
		w.wrote(t, one, kept, err)
		b.took(n)
		if err != nil {
			return err
		}
	}
}

// alone reports whether nobody else brings anything.
func (w *filling) alone() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.crew.working == 1
}

// ahead is how much of a segment is to come.
func (w *filling) ahead(one *segment) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return one.end - one.at
}

func (w *filling) wrote(t *transfer, one *segment, n int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.plan.wrote(one, int64(n))
	w.tellReaders(n)
	if name := t.from.Name(); !slices.Contains(w.crew.upstreams, name) {
		w.crew.upstreams = append(w.crew.upstreams, name)
	}
	if err != nil && w.crew.full == nil {
		w.crew.full = err
	}
	w.tellHasher()
}

// tellReaders wakes those who have something to read now, for who holds mu. That costs more than a small write, so that
// several are told of together.
func (w *filling) tellReaders(n int) {
	if w.crew.untold += n; w.crew.untold >= tellAtOnce {
		w.crew.untold = 0
		w.wakeReaders()
		return
	}
	if w.crew.telling {
		return
	}
	w.crew.telling = true
	if w.crew.teller == nil {
		w.crew.teller = time.AfterFunc(tellAfter, w.tellNow)
		return
	}
	w.crew.teller.Reset(tellAfter)
}

func (w *filling) tellNow() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.crew.telling, w.crew.untold = false, 0
	w.wakeReaders()
}

// tellHasher wakes it when there is enough to do, or no more to come, for who holds mu.
func (w *filling) tellHasher() {
	end := w.plan.have.From(w.crew.hashed)
	if end-w.crew.hashed >= hashAtOnce || end == w.size || w.crew.full != nil || w.crew.failed != nil {
		select {
		case w.crew.toHash <- struct{}{}:
		default:
		}
	}
}

// next gives a segment back and takes another. A transfer that failed ends, and the fill goes on with fewer: an upstream
// may allow no more. The fill fails with the last.
func (w *filling) next(one *segment, err error) (another *segment) {
	w.change(func() {
		w.plan.drop(one)
		if errors.Is(err, errNoParts) {
			err = w.withoutParts(err)
		}
		if err == nil && w.crew.working <= w.leave() {
			another = w.plan.take()
		}
		if another != nil {
			return
		}
		w.crew.working--
		switch {
		case err == nil:
		case w.crew.working == 0:
			w.crew.failed = err
		default:
			w.crew.regular, w.crew.aside = max(1, min(w.crew.regular-1, w.crew.working)), 0
		}
		w.tellHasher()
	})
	return another
}

// withoutParts leaves the blob to one transfer, for who holds mu: to the one that has the whole coming, or to who is the
// last and asked for a part in vain.
func (w *filling) withoutParts(err error) error {
	w.crew.regular, w.crew.aside = 1, 0
	w.plan.whole()
	if w.crew.working == 1 {
		return nil
	}
	return err
}

// crewBrought waits for bytes behind an offset, until they are worth the while, and returns where they end.
func (w *filling) crewBrought(ctx context.Context, offset int64) (int64, error) {
	for {
		end, err := w.brought(offset)
		if err != nil || end-offset >= hashAtOnce || end == w.size {
			return end, err
		}
		select {
		case <-w.crew.toHash:
		case <-ctx.Done():
			return offset, ctx.Err()
		}
	}
}

func (w *filling) brought(offset int64) (int64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.crew.hashed = offset
	if w.crew.full != nil {
		return offset, w.crew.full
	}
	return w.plan.have.From(offset), w.crew.failed
}
