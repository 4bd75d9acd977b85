package store

import (
	"sync"

	"github.com/opencontainers/go-digest"
)

// Pins count the open readers of each object in this process, for stores that do not remove what is being read: a range of
// it that is asked for next would have to be fetched again. The zero value has none.
type Pins struct {
	mu    sync.Mutex
	count map[digest.Digest]int
}

// Add counts one more.
func (p *Pins) Add(d digest.Digest) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.count == nil {
		p.count = map[digest.Digest]int{}
	}
	p.count[d]++
}

// Release counts one less.
func (p *Pins) Release(d digest.Digest) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.count[d]--; p.count[d] == 0 {
		delete(p.count, d)
	}
}

// Has reports whether an object has a reader.
func (p *Pins) Has(d digest.Digest) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count[d] > 0
}
