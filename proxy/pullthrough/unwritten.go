package pullthrough

import (
	"context"
	"sync"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/store"
)

// maxUnwritten bounds the names that are remembered in the store's place, at less than 1 KiB each: those of a hundred
// images or so.
const maxUnwritten = 2048

// unwritten are the names under which the upstream has what a fallback rule found and the store takes no link of: without
// them nothing below that manifest could be pulled while the store is full or cannot be written.
type unwritten struct {
	mu        sync.Mutex
	effective map[place]string
	oldest    []place
}

// place is where the store has a link.
type place struct {
	store.Repository
	digest.Digest
}

// name is that of a digest, the repository's own where no other is remembered.
func (u *unwritten) name(repository store.Repository, d digest.Digest) string {
	u.mu.Lock()
	defer u.mu.Unlock()
	if name, ok := u.effective[place{repository, d}]; ok {
		return name
	}
	return repository.Name
}

func (u *unwritten) add(repository store.Repository, links []store.Link) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.effective == nil {
		u.effective = map[place]string{}
	}
	for _, link := range links {
		if link.Effective != repository.Name {
			u.put(place{repository, link.Digest}, link.Effective)
		}
	}
}

// put gives up the oldest where there is no room, for who holds mu.
func (u *unwritten) put(of place, effective string) {
	if _, again := u.effective[of]; !again {
		u.oldest = append(u.oldest, of)
	}
	u.effective[of] = effective
	if len(u.oldest) > maxUnwritten {
		delete(u.effective, u.oldest[0])
		u.oldest = u.oldest[1:]
	}
}

// linked returns a link of the store. Where there is none, what it says is by which name to ask.
func (m *Mirror) linked(ctx context.Context, repository store.Repository, d digest.Digest) (store.Link, error) {
	link, err := m.Store.Linked(ctx, repository, d)
	if err != nil {
		link = store.Link{Digest: d, Effective: m.unwritten.name(repository, d)}
	}
	return link, err
}

// linkAll writes links, and remembers them where the store does not take them.
func (m *Mirror) linkAll(ctx context.Context, repository store.Repository, links []store.Link) error {
	err := m.Store.Link(ctx, repository, links...)
	if err != nil {
		m.unwritten.add(repository, links)
	}
	return err
}
