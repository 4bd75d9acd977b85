package s3store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/registryhub/registryhub/proxy/store"
)

// errScratchFull says that fills have all the room that they may have. It is not store.ErrNoSpace: to evict from the bucket
// makes no room here.
var errScratchFull = errors.New("the scratch space for fills is used up: give the hub more of it")

// ofScratch is an error of the scratch space, seen from the store.
func ofScratch(err error) error {
	if errors.Is(err, store.ErrNoSpace) {
		return fmt.Errorf("%w (%v)", errScratchFull, err) //nolint:errorlint // its class is not the store's
	}
	return err
}

// room is what fills have taken of the scratch space, left-over ones included.
type room struct {
	mu    sync.Mutex
	taken int64
	max   int64 // 0: no bound
}

// take reports whether there is so much room; it is taken then.
func (r *room) take(bytes int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.max > 0 && r.taken+bytes > r.max {
		return false
	}
	r.taken += bytes
	return true
}

// count counts what is taken already.
func (r *room) count(bytes int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.taken += bytes
}

func (r *room) give(bytes int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.taken = max(0, r.taken-bytes)
}

// short reports whether half of the room is taken.
func (r *room) short() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.max > 0 && r.taken > r.max/2
}

// measureScratch counts what earlier fills left.
func (s *Store) measureScratch(ctx context.Context) error {
	return s.scratch.Walk(ctx, func(e store.Entry) error {
		s.room.count(e.Size)
		return nil
	})
}

// tidyScratch removes fills that nobody went on with, the oldest first, while half of the room is taken. What cannot be removed
// is in use, or leaves the room short, which the next write says.
func (s *Store) tidyScratch(ctx context.Context) {
	if !s.room.short() {
		return
	}
	var left []store.Entry
	_ = s.scratch.Walk(ctx, func(e store.Entry) error {
		left = append(left, e)
		return nil
	})
	slices.SortFunc(left, func(a, b store.Entry) int { return a.LastAccess.Compare(b.LastAccess) })
	for _, e := range left {
		if !s.room.short() {
			return
		}
		if s.scratch.Remove(ctx, e.Digest, e.LastAccess) == nil {
			s.room.give(e.Size)
		}
	}
}
