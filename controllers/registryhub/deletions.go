package registryhub

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/registryhub/registryhub/api/v1alpha1"
)

// deletions remembers since when this manager has seen that hubs are deleted. The zero value is ready for use.
//
// It is what waiting for nodes is counted from. A hub's deletionTimestamp is of the API server's clock: a manager whose own
// clock is ahead of that would give the nodes up too early, at worst at once, and one whose clock is behind too late. A
// manager that takes over counts anew, since the status is no better place: it would hold the clock of the manager before. So
// each change of the leader lengthens a deletion by what was waited before it.
type deletions struct {
	mu   sync.Mutex
	seen map[string]deletion
}

type deletion struct {
	uid   types.UID
	since time.Time
}

// lasts is for how long a hub's deletion has been seen. Times of [time.Now] count it by the monotonic clock, so that one that
// is set meanwhile changes nothing.
func (d *deletions) lasts(hub *v1alpha1.RegistryHub, now time.Time) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	seen, known := d.seen[hub.Name]
	if !known || seen.uid != hub.UID {
		if d.seen == nil {
			d.seen = map[string]deletion{}
		}
		seen = deletion{uid: hub.UID, since: now}
		d.seen[hub.Name] = seen
	}
	return now.Sub(seen.since)
}

// forget forgets a hub that is gone.
func (d *deletions) forget(hub string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.seen, hub)
}
