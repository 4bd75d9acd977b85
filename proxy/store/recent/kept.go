package recent

import (
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/store"
)

// key names what is kept. What kinds have no use for is empty.
type key struct {
	kind             byte
	host, name, what string
}

func linkKey(r store.Repository, d digest.Digest) key { return key{'l', r.Host, r.Name, string(d)} }

func tagKey(r store.Repository, tag string) key { return key{'t', r.Host, r.Name, tag} }

func objectKey(d digest.Digest) key { return key{kind: 'o', what: string(d)} }

// entrySize is what an entry takes beside an object's bytes, generously.
const entrySize = 1 << 10

// kept is what was read, in the order in which it was: all of it is believed for the same time, so that what is oldest is
// the first to go, whether it is too old or there is no room.
type kept struct {
	capacity, size int64
	byKey          map[key]*entry
	oldest, newest *entry
}

type entry struct {
	key   key
	value any
	size  int64
	until time.Time
	next  *entry // read after it
}

func newKept(capacity int64) kept { return kept{capacity: capacity, byKey: map[key]*entry{}} }

func (k *kept) get(name key, now time.Time) (any, bool) {
	e, ok := k.byKey[name]
	if !ok || !now.Before(e.until) {
		return nil, false
	}
	return e.value, true
}

func (k *kept) add(name key, value any, size int64, now, until time.Time) {
	e := &entry{key: name, value: value, size: size + entrySize, until: until}
	if k.newest == nil {
		k.oldest = e
	} else {
		k.newest.next = e
	}
	k.newest = e
	k.byKey[name] = e
	k.size += e.size
	for k.oldest != nil && (k.size > k.capacity || !now.Before(k.oldest.until)) {
		k.dropOldest()
	}
}

// dropOldest leaves a later entry of the same key alone.
func (k *kept) dropOldest() {
	e := k.oldest
	k.size -= e.size
	if k.byKey[e.key] == e {
		delete(k.byKey, e.key)
	}
	if k.oldest = e.next; k.oldest == nil {
		k.newest = nil
	}
}

// remove makes an entry unknown. Its room is had back when it is the oldest.
func (k *kept) remove(name key) { delete(k.byKey, name) }
