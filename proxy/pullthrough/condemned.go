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
	mu      sync.Mutex
	digests map[digest.Digest]sentence
}

type sentence struct {
	until time.Time
	times int
}

func (c *condemned) add(d digest.Digest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.digests == nil {
		c.digests = map[digest.Digest]sentence{}
	}
	for other, s := range c.digests {
		if time.Now().After(s.until) {
			delete(c.digests, other)
		}
	}
	c.digests[d] = sentence{until: time.Now().Add(condemnedFor), times: c.digests[d].times + 1}
}

// lift ends it, when the right bytes are there.
func (c *condemned) lift(d digest.Digest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.digests, d)
}

func (c *condemned) has(d digest.Digest) bool { return c.times(d) > 0 }

// times is how often a digest was condemned lately.
func (c *condemned) times(d digest.Digest) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.digests[d]; time.Now().Before(s.until) {
		return s.times
	}
	return 0
}

// mismatched condemns a digest and says so.
func (m *Mirror) mismatched(s source, from string, err error) error {
	m.condemned.add(s.digest)
	m.Metrics.Mismatch()
	m.Logger.Info("transfer thrown away", "hub", m.Hub, "host", s.host.Name, "repository", s.repository.Name,
		"upstream", from, "digest", s.digest.String(), "error", err.Error())
	return fmt.Errorf("%w: %w", errCondemned, err)
}
