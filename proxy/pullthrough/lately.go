package pullthrough

import (
	"sync"
	"time"
)

// maxLately bounds what is remembered of one kind, at less than 1 KiB each.
const maxLately = 2048

// lately is what the upstreams have said of things, by their keys, each for its time.
type lately struct {
	mu    sync.Mutex
	until map[string]time.Time
}

func (l *lately) has(key string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return now.Before(l.until[key])
}

func (l *lately) add(key string, now time.Time, lasts time.Duration) {
	if lasts <= 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.until == nil {
		l.until = map[string]time.Time{}
	}
	if _, again := l.until[key]; !again && len(l.until) >= maxLately {
		l.makeRoom()
	}
	l.until[key] = now.Add(lasts)
}

func (l *lately) forget(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.until, key)
}

// makeRoom gives up the one that ends first.
func (l *lately) makeRoom() {
	first, found := "", false
	for key, until := range l.until {
		if !found || until.Before(l.until[first]) {
			first, found = key, true
		}
	}
	delete(l.until, first)
}
