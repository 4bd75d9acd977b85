package pullthrough

import (
	"errors"
	"sync"
	"time"

	"github.com/registryhub/registryhub/proxy/distspec"
	"github.com/registryhub/registryhub/proxy/metrics"
)

const (
	// absentFor is how long an upstream's 404 for a manifest is believed: what is pushed appears after that time at
	// most. A tag that is believed for less is asked for again after less.
	absentFor = 10 * time.Second
	// maxAbsent bounds what is remembered, at less than 1 KiB each.
	maxAbsent = 2048
)

var errAbsent = errors.New("the upstream has lately said that there is no such manifest")

// absent are the manifests that the upstream has lately said not to have.
type absent struct {
	mu    sync.Mutex
	until map[string]time.Time
}

func (a *absent) has(key string, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return now.Before(a.until[key])
}

func (a *absent) add(key string, now time.Time, lasts time.Duration) {
	if lasts <= 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.until == nil {
		a.until = map[string]time.Time{}
	}
	if len(a.until) >= maxAbsent {
		a.makeRoom()
	}
	a.until[key] = now.Add(lasts)
}

// makeRoom gives up the one that ends first.
func (a *absent) makeRoom() {
	first, found := "", false
	for key, until := range a.until {
		if !found || until.Before(a.until[first]) {
			first, found = key, true
		}
	}
	delete(a.until, first)
}

// saidAbsent is the answer that the upstream gave lately.
func (m *Mirror) saidAbsent(unknown func(error) *distspec.Error) error {
	m.Metrics.Lookup("manifest", metrics.Absent)
	return unknown(errAbsent)
}
