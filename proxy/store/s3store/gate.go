package s3store

import (
	"fmt"
	"sync"
	"time"

	"github.com/registryhub/registryhub/proxy/store"
)

// gate keeps requests from a server that did not answer the last one in time: they fail at once, and their clients are served
// by the upstream.
type gate struct {
	pause time.Duration

	mu    sync.Mutex
	until time.Time
	cause error
}

// check is nil when the server may be asked.
func (g *gate) check() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if time.Now().Before(g.until) {
		return fmt.Errorf("%w: it did not answer a moment ago: %w", store.ErrFailing, g.cause)
	}
	return nil
}

func (g *gate) shut(cause error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.until, g.cause = time.Now().Add(g.pause), cause
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.until = time.Time{}
}
