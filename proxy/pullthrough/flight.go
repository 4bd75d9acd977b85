package pullthrough

import (
	"context"
	"sync"
	"time"

	"github.com/registryhub/registryhub/proxy/distspec"
)

// flights let all who want the same thing wait for one attempt to get it.
type flights[T any] struct {
	mu  sync.Mutex
	now map[string]*flight[T]
}

// flight is one attempt. Its fields may be read when done is closed.
type flight[T any] struct {
	done  chan struct{}
	value T
	err   error
}

// join returns the attempt under that key, begun now unless one is under way.
func (f *flights[T]) join(work *background, key string, get func(context.Context) (T, error)) *flight[T] {
	f.mu.Lock()
	defer f.mu.Unlock()
	if one, ok := f.now[key]; ok {
		return one
	}
	if f.now == nil {
		f.now = map[string]*flight[T]{}
	}
	one := &flight[T]{done: make(chan struct{})}
	f.now[key] = one
	work.run(func(ctx context.Context) {
		one.value, one.err = get(ctx)
		f.mu.Lock()
		delete(f.now, key)
		f.mu.Unlock()
		close(one.done)
	})
	return one
}

// wait waits for the attempt for at most that long; then the answer is 503, and the attempt goes on.
func (f *flight[T]) wait(ctx context.Context, atMost time.Duration) (T, error) {
	if f.await(ctx, atMost) {
		return f.value, f.err
	}
	var none T
	if ctx.Err() != nil {
		return none, ctx.Err()
	}
	return none, distspec.Unavailable(errSlow)
}

// await reports whether the attempt has ended within that time.
func (f *flight[T]) await(ctx context.Context, atMost time.Duration) bool {
	timer := time.NewTimer(atMost)
	defer timer.Stop()
	select {
	case <-f.done:
		return true
	case <-timer.C:
		return false
	case <-ctx.Done():
		return false
	}
}
