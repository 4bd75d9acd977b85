package s3store

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/store"
)

// shelf is where in the bucket fills go that are whole.
type shelf interface {
	// has: store.ErrNotFound.
	has(ctx context.Context, d digest.Digest) error
	// keep makes an object of what was verified. It appears whole or not at all.
	keep(ctx context.Context, d digest.Digest, from source, size int64) error
	Open(ctx context.Context, d digest.Digest) (store.Object, error)
}

// partial is a fill on scratch space.
type partial struct {
	store.Partial
	store  *Store
	shelf  shelf
	digest digest.Digest

	mu      sync.Mutex // guards what follows
	written store.Extents
	taken   int64 // of the room on scratch space
	kept    bool  // it is in the bucket
}

// Partial implements store.Content. While the bucket does not answer the fill goes on without it, so that one transfer still
// serves all who wait for it.
func (s *Store) Partial(ctx context.Context, d digest.Digest, size int64) (store.Partial, error) {
	return s.fill(ctx, s, d, size)
}

func (s *Store) fill(ctx context.Context, onto shelf, d digest.Digest, size int64) (store.Partial, error) {
	if err := d.Validate(); err != nil {
		return nil, fmt.Errorf("filling an object: %w", err)
	}
	err := onto.has(ctx, d)
	if err == nil {
		return nil, fmt.Errorf("filling %s: %w", d, store.ErrExists)
	}
	if !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrFailing) {
		return nil, fmt.Errorf("filling %s: %w", d, err)
	}
	s.tidyScratch(ctx)
	behind, err := s.scratch.Partial(ctx, d, size)
	if err != nil {
		return nil, fmt.Errorf("filling %s on scratch space: %w", d, ofScratch(err))
	}
	p := &partial{Partial: behind, store: s, shelf: onto, digest: d}
	for _, run := range behind.Left() {
		p.written = p.written.Add(run)
		p.taken += run.End - run.Start
	}
	return p, nil
}

func (s *Store) has(ctx context.Context, d digest.Digest) error {
	_, err := s.bucket.stat(ctx, s.keys.blob(d))
	return err
}

func (s *Store) keep(ctx context.Context, d digest.Digest, from source, size int64) error {
	if err := s.upload(ctx, s.keys.blob(d), from, size); err != nil {
		return err
	}
	s.usage.grow(size)
	return nil
}

// WriteAt implements store.Partial.
func (p *partial) WriteAt(b []byte, offset int64) (int, error) {
	if !p.store.room.take(int64(len(b))) {
		return 0, fmt.Errorf("filling %s at byte %d: %w", p.digest, offset, errScratchFull)
	}
	n, err := p.Partial.WriteAt(b, offset)
	p.store.room.give(int64(len(b) - n))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.written = p.written.Add(store.Extent{Start: offset, End: offset + int64(n)})
	p.taken += int64(n)
	return n, ofScratch(err)
}

// Reader implements store.Partial. Of what is in the bucket already it reads from there.
func (p *partial) Reader(ctx context.Context) (store.Reader, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.kept {
		return p.shelf.Open(ctx, p.digest)
	}
	return p.Partial.Reader(ctx)
}

// Commit implements store.Partial: it uploads. Readers go on meanwhile.
func (p *partial) Commit(ctx context.Context, proof store.Proof) error {
	p.mu.Lock()
	whole := proof.Digest() == p.digest && p.written.Whole(proof.Size())
	p.mu.Unlock()
	if !whole {
		return errors.Join(fmt.Errorf("committing a fill of %s: the proof is for %d bytes of %q, and not for what was written",
			p.digest, proof.Size(), proof.Digest()), p.Discard())
	}
	if err := p.shelf.keep(ctx, p.digest, p.Partial, proof.Size()); err != nil {
		return errors.Join(fmt.Errorf("committing %s: %w", p.digest, err), p.Discard())
	}
	return p.end(true)
}

// Discard implements store.Partial.
func (p *partial) Discard() error { return p.end(false) }

func (p *partial) end(kept bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kept = kept
	p.store.room.give(p.taken)
	p.taken = 0
	return p.Partial.Discard()
}
