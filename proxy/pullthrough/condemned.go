package pullthrough

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// errCondemned answers who asks for the rest of a blob that turned out wrong.
var errCondemned = errors.New("a transfer of this blob was thrown away: its bytes were not those of the digest")

// condemnedFor is how long such a client is sent elsewhere, so that it does not complete the wrong beginning that it may
// have.
const condemnedFor = time.Minute

// condemned are the blobs that were lately found to be something else.
type condemned struct {
	mu    sync.Mutex
	blobs map[hosted]sentence
}

type sentence struct {
	until time.Time
	times int
}

func (c *condemned) add(b hosted, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.blobs == nil {
		c.blobs = map[hosted]sentence{}
	}
	for other, s := range c.blobs {
		if now.After(s.until) {
			delete(c.blobs, other)
		}
	}
	c.blobs[b] = sentence{until: now.Add(condemnedFor), times: c.blobs[b].times + 1}
}

// lift ends it, when the right bytes are there.
func (c *condemned) lift(b hosted) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.blobs, b)
}

func (c *condemned) has(b hosted, now time.Time) bool { return c.times(b, now) > 0 }

// times is how often a blob was condemned lately.
func (c *condemned) times(b hosted, now time.Time) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.blobs[b]; now.Before(s.until) {
		return s.times
	}
	return 0
}

// mismatched condemns a blob and says so.
func (m *Mirror) mismatched(s source, from string, err error) error {
	m.condemned.add(s.hosted(), m.Now())
	m.Metrics.Mismatch()
	m.Logger.Info("transfer thrown away", "hub", m.Hub, "host", s.host.Name, "repository", s.repository.Name,
		"upstream", from, "digest", s.digest.String(), "error", err.Error())
	return fmt.Errorf("%w: %w", errCondemned, err)
}
