// Package described remembers for a moment what repositories have, in front of a store that is asked over a network: a link,
// which is the descriptor of what it leads to, by repository and digest. Many nodes that pull an image ask for the same few.
//
// Only what is there is remembered, and nothing that a write rests on: a link is renewed, and an object opened and kept, by the
// store itself, which knows when it is gone. What is taken away through a Store is gone from it at once. What another process
// takes away, or a collector that asks the store itself, may be linked here for a moment more, if it was asked for often just
// before, and until somebody renews it. Tags are not remembered at all.
package described

import (
	"context"
	"errors"
	"hash/maphash"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/store"
)

// The defaults of Options.
const (
	// DefaultMoment is how long what another replica has deleted may still be had here by its digest.
	DefaultMoment = time.Second
	// DefaultOften is more than who looks after a delete has asked before it, and less than a cluster that pulls an image asks.
	DefaultOften = 8
	// DefaultCapacity is in links. They take about half a kilobyte each.
	DefaultCapacity = 8192
)

// Options of a Store.
type Options struct {
	// Moment is how long a link is remembered. Default: DefaultMoment.
	Moment time.Duration
	// Often is how many times within a moment the store is asked for a link before what it says is remembered. Default:
	// DefaultOften.
	Often int
	// Capacity is how many links are remembered at most. Default: DefaultCapacity.
	Capacity int
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// Store is a store.Registry in front of another. What else that one can do is its own: ask it itself.
type Store struct {
	store.Registry

	now  func() time.Time
	seed maphash.Seed

	mu    sync.Mutex
	links memory
	// doubts count what was forgotten, by a hash of its name: a link that was read meanwhile is not to be remembered.
	doubts [256]uint64
}

var (
	_ store.Registry = (*Store)(nil)
	_ store.Chunked  = (*Store)(nil)
)

// New returns a Store in front of another.
func New(behind store.Registry, options Options) *Store {
	if options.Moment == 0 {
		options.Moment = DefaultMoment
	}
	if options.Often == 0 {
		options.Often = DefaultOften
	}
	if options.Capacity == 0 {
		options.Capacity = DefaultCapacity
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	return &Store{
		Registry: behind, now: options.Now, seed: maphash.MakeSeed(),
		links: memory{half: max(1, options.Capacity/2), moment: options.Moment, often: options.Often, young: map[key]entry{}},
	}
}

// Linked implements store.Links.
func (s *Store) Linked(ctx context.Context, repository store.Repository, d digest.Digest) (store.Link, error) {
	k, began := key{repository, d}, s.now()
	s.mu.Lock()
	link, known := s.links.get(k, began)
	doubts := *s.doubtsOf(k)
	s.mu.Unlock()
	if known {
		return link, nil
	}
	link, err := s.Registry.Linked(ctx, repository, d)
	if err != nil || link.Descriptor != "" { // which can be long
		return link, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if *s.doubtsOf(k) == doubts {
		s.links.put(k, link, began)
	}
	return link, nil
}

// Link implements store.Links.
func (s *Store) Link(ctx context.Context, repository store.Repository, links ...store.Link) error {
	defer func() {
		for _, link := range links {
			s.forget(repository, link.Digest)
		}
	}()
	return s.Registry.Link(ctx, repository, links...)
}

// LeastChunk implements store.Chunked for a store behind that does, and is 0 for another.
func (s *Store) LeastChunk() int64 {
	if chunked, is := s.Registry.(store.Chunked); is {
		return chunked.LeastChunk()
	}
	return 0
}

// Renew implements store.Catalog. It asks the store itself.
func (s *Store) Renew(ctx context.Context, repository store.Repository, d digest.Digest) error {
	err := s.Registry.Renew(ctx, repository, d)
	if errors.Is(err, store.ErrNotFound) {
		s.forget(repository, d)
	}
	return err
}

// Unlink implements store.Catalog.
func (s *Store) Unlink(ctx context.Context, repository store.Repository, d digest.Digest) error {
	defer s.forget(repository, d)
	return s.Registry.Unlink(ctx, repository, d)
}

// UnlinkUnused implements store.Catalog.
func (s *Store) UnlinkUnused(ctx context.Context, repository store.Repository, d digest.Digest, unusedSince time.Time) error {
	defer s.forget(repository, d)
	return s.Registry.UnlinkUnused(ctx, repository, d, unusedSince)
}

// forget is called after a write: what was remembered of the time before it is gone, and what is being read will not be
// remembered.
func (s *Store) forget(repository store.Repository, d digest.Digest) {
	k := key{repository, d}
	s.mu.Lock()
	defer s.mu.Unlock()
	*s.doubtsOf(k)++
	s.links.remove(k)
}

func (s *Store) doubtsOf(k key) *uint64 {
	return &s.doubts[maphash.Comparable(s.seed, k)%uint64(len(s.doubts))]
}
