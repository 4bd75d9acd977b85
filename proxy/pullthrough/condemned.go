package pullthrough

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
)

// errCondemned answers who asks for the rest of a blob that turned out wrong.
var errCondemned = errors.New("a transfer of this blob was thrown away: its bytes were not those of the digest")

// condemnedFor is how long such a client is sent elsewhere, so that it does not complete the wrong beginning that it may
// have.
const condemnedFor = time.Minute

// condemned are the digests that were lately found to be something else.
type condemned struct {
	mu    sync.Mutex
	until map[digest.Digest]time.Time
}

func (c *condemned) add(d digest.Digest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.until == nil {
		c.until = map[digest.Digest]time.Time{}
	}
	for other, until := range c.until {
		if time.Now().After(until) {
			delete(c.until, other)
		}
	}
	c.until[d] = time.Now().Add(condemnedFor)
}

// lift ends it, when the right bytes are there.
func (c *condemned) lift(d digest.Digest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.until, d)
}

func (c *condemned) has(d digest.Digest) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Before(c.until[d])
}

// mismatched condemns a digest and says so.
func (m *Mirror) mismatched(s source, from string, err error) error {
	m.condemned.add(s.digest)
	m.Metrics.Mismatch()
	m.Logger.Info("transfer thrown away", "hub", m.Hub, "host", s.host.Name, "repository", s.repository.Name,
		"upstream", from, "digest", s.digest.String(), "error", err.Error())
	return fmt.Errorf("%w: %w", errCondemned, err)
}
