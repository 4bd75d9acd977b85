package described

import (
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/store"
)

// key names a link.
type key struct {
	repository store.Repository
	digest     digest.Digest
}

// entry is what the store has said of a link, and how often it was asked since the first time, a moment before until.
type entry struct {
	link  store.Link
	asked int
	until time.Time
}

// memory is two generations of links, each of at most half of what may be remembered. When the younger one is full, or has
// been filled for a moment, the older one is given up.
type memory struct {
	half, often int
	moment      time.Duration
	young, old  map[key]entry
	begun       time.Time // when young was
}

// get returns what the store has said often enough.
func (m *memory) get(k key, now time.Time) (store.Link, bool) {
	e := m.live(k, now)
	return e.link, e.asked >= m.often
}

// put notes what the store has said after a time.
func (m *memory) put(k key, link store.Link, at time.Time) {
	e := m.live(k, at)
	if e.asked == 0 {
		e.until = at.Add(m.moment)
	}
	if len(m.young) >= m.half || at.Sub(m.begun) >= m.moment {
		m.old, m.young, m.begun = m.young, make(map[key]entry, len(m.young)), at
	}
	m.young[k] = entry{link: link, asked: e.asked + 1, until: e.until}
}

// live is the zero entry where there is none any more.
func (m *memory) live(k key, now time.Time) entry {
	e, found := m.young[k]
	if !found {
		e = m.old[k]
	}
	if !now.Before(e.until) {
		return entry{}
	}
	return e
}

func (m *memory) remove(k key) {
	delete(m.young, k)
	delete(m.old, k)
}
