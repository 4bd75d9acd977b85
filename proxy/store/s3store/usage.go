package s3store

import (
	"context"
	"sync"
	"time"

	"github.com/registryhub/registryhub/proxy/store"
)

const (
	// countEvery is how often the objects are counted, by whom is elected to evict.
	countEvery = 10 * time.Minute
	// countShare keeps a large bucket from being listed all the time: of the time, at most one part in so many is spent
	// on counting.
	countShare = 20
)

// usage is how many bytes the objects have: those of the last count, and what this process wrote and removed since.
type usage struct {
	mu      sync.Mutex
	bytes   int64
	known   bool
	nextDue time.Time // of a count by this process
}

func (u *usage) grow(bytes int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.bytes = max(0, u.bytes+bytes)
}

// set takes a count that ended now.
func (u *usage) set(bytes int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.bytes, u.known = bytes, true
}

func (u *usage) get() (bytes int64, known bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.bytes, u.known
}

func (u *usage) due(now time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return !now.Before(u.nextDue)
}

func (u *usage) counted(began, ended time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.nextDue = ended.Add(max(countEvery, countShare*ended.Sub(began)))
}

// Usage implements store.Measurer. Who is elected counts now and then, which takes a request for each thousand of objects;
// the others know its count from the bucket.
func (s *Store) Usage(ctx context.Context) (store.Usage, error) {
	elected := s.Elected(ctx)
	_, known := s.usage.get()
	if (elected || !known) && s.usage.due(time.Now()) {
		if err := s.count(ctx); err != nil {
			return store.Usage{}, err
		}
	}
	bytes, _ := s.usage.get()
	return store.Usage{Capacity: s.maxSize.Load(), Used: bytes}, nil
}

func (s *Store) count(ctx context.Context) error {
	if err := s.countIn(ctx, blobs); err != nil {
		return err
	}
	return s.abortLeftovers(ctx, blobs, time.Now().Add(-staleUpload))
}

func (s *Store) countIn(ctx context.Context, folders ...string) error {
	began, bytes := time.Now(), int64(0)
	for _, folder := range folders {
		for info, err := range s.bucket.list(ctx, s.keys.in(folder), false) {
			if err != nil {
				return err
			}
			bytes += info.Size
		}
	}
	s.usage.set(bytes)
	s.usage.counted(began, time.Now())
	return nil
}
