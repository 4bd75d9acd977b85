package fsstore

import (
	"os"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"
)

// pins count the open readers of each object, so that what is being read is not evicted: a range of it that is asked for
// next would have to be fetched again.
type pins struct {
	mu    sync.Mutex
	count map[digest.Digest]int
}

func (p *pins) add(d digest.Digest) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.count == nil {
		p.count = map[digest.Digest]int{}
	}
	p.count[d]++
}

func (p *pins) release(d digest.Digest) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.count[d]--; p.count[d] == 0 {
		delete(p.count, d)
	}
}

func (p *pins) has(d digest.Digest) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count[d] > 0
}

// touchEvery keeps hits from writing: last access is known to the hour.
const touchEvery = time.Hour

// touch notes that a file is used. A file that cannot be touched, on a read-only volume say, is evicted the sooner, if at
// all.
func touch(file *os.File, last time.Time) {
	now := time.Now()
	if now.Sub(last) < touchEvery {
		return
	}
	at := unix.NsecToTimeval(now.UnixNano())
	_ = unix.Futimes(int(file.Fd()), []unix.Timeval{at, at})
}
