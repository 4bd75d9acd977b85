package s3store

import (
	"context"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
)

const (
	// markEvery keeps hits from writing: last access is known to the hour.
	markEvery = time.Hour
	// maxMarks bounds what is remembered of the marks written, to some megabytes. What is forgotten is written again.
	maxMarks = 32 << 10
)

// marks are what this process wrote of the use of objects. Other processes write their own.
type marks struct {
	mu      sync.Mutex
	written map[digest.Digest]time.Time
}

// mark notes that an object is used, behind its reader, unless it was written or marked within the hour. The channel is closed
// when that is done. A mark that cannot be written has the object evicted the sooner, if at all.
func (m *marks) mark(ctx context.Context, s *Store, d digest.Digest, age time.Duration) <-chan struct{} {
	done := make(chan struct{})
	if age < markEvery || !m.due(d, time.Now()) {
		close(done)
		return done
	}
	ctx = context.WithoutCancel(ctx)
	go func() {
		defer close(done)
		if err := s.bucket.write(ctx, s.keys.mark(d), nil, withSize(0)); err != nil {
			m.forget(d)
		}
	}()
	return done
}

// due reports whether an object is to be marked, which its caller does then.
func (m *marks) due(d digest.Digest, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now.Sub(m.written[d]) < markEvery {
		return false
	}
	if m.written == nil || len(m.written) >= maxMarks {
		m.written = map[digest.Digest]time.Time{}
	}
	m.written[d] = now
	return true
}

func (m *marks) forget(d digest.Digest) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.written, d)
}
