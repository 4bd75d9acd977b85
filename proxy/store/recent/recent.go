// Package recent keeps in memory, for a moment, what was read from another store: links, tags and small objects. When many
// nodes pull an image they ask for the same few of them, and each costs several system calls to read from a
// directory.
//
// Whatever it answers was true at most a moment ago, of the place and not of this process alone: an object that was
// evicted or put aside, and what another process on the same place wrote, is seen after that, and so the store behind it is
// asked often enough to know what is used. What is written through it is seen at once.
package recent

import (
	"context"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/store"
)

// The defaults of Options.
const (
	// DefaultMoment is short beside all that a person, or eviction, would notice.
	DefaultMoment = time.Second
	// DefaultCapacity is in bytes.
	DefaultCapacity int64 = 32 << 20
)

// largestObject that is kept, in bytes: what is larger is better sent by the kernel.
const largestObject = 64 << 10

// Options of a Store.
type Options struct {
	// Moment is how long what was read is believed. Default: DefaultMoment.
	Moment time.Duration
	// Capacity is how many bytes are kept at most. Default: DefaultCapacity.
	Capacity int64
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// Store is a store.Store in front of another. What else that one can do is its own: ask it itself.
type Store struct {
	store.Store

	moment time.Duration
	now    func() time.Time

	mu    sync.Mutex
	kept  kept
	wrote uint64
}

var _ store.Store = (*Store)(nil)

// New returns a Store in front of another.
func New(behind store.Store, options Options) *Store {
	if options.Moment == 0 {
		options.Moment = DefaultMoment
	}
	if options.Capacity == 0 {
		options.Capacity = DefaultCapacity
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	return &Store{Store: behind, moment: options.Moment, now: options.Now, kept: newKept(options.Capacity)}
}

// Linked implements store.Links.
func (s *Store) Linked(ctx context.Context, repository store.Repository, d digest.Digest) (store.Link, error) {
	return get(s, linkKey(repository, d), func() (store.Link, int64, error) {
		link, err := s.Store.Linked(ctx, repository, d)
		return link, 0, err
	})
}

// Link implements store.Links.
func (s *Store) Link(ctx context.Context, repository store.Repository, links ...store.Link) error {
	keys := make([]key, 0, len(links))
	for _, link := range links {
		keys = append(keys, linkKey(repository, link.Digest))
	}
	defer s.forget(keys...)
	return s.Store.Link(ctx, repository, links...)
}

// Tag implements store.Tags.
func (s *Store) Tag(ctx context.Context, repository store.Repository, tag string) (store.Tag, error) {
	return get(s, tagKey(repository, tag), func() (store.Tag, int64, error) {
		entry, err := s.Store.Tag(ctx, repository, tag)
		return entry, 0, err
	})
}

// SetTag implements store.Tags.
func (s *Store) SetTag(ctx context.Context, repository store.Repository, tag string, entry store.Tag) error {
	defer s.forget(tagKey(repository, tag))
	return s.Store.SetTag(ctx, repository, tag, entry)
}

// DeleteTag implements store.Tags.
func (s *Store) DeleteTag(ctx context.Context, repository store.Repository, tag string) error {
	defer s.forget(tagKey(repository, tag))
	return s.Store.DeleteTag(ctx, repository, tag)
}

// Open implements store.Content.
func (s *Store) Open(ctx context.Context, d digest.Digest) (store.Object, error) {
	return get(s, objectKey(d), func() (store.Object, int64, error) {
		behind, err := s.Store.Open(ctx, d)
		if err != nil || behind.Size() > largestObject {
			return behind, -1, err
		}
		read, err := readObject(ctx, behind)
		return read, behind.Size(), err
	})
}

// get returns what is kept under a key, or else loads it, and keeps that unless its size is negative or something was written
// meanwhile, which it may be older than.
func get[T any](s *Store, k key, load func() (T, int64, error)) (T, error) {
	now := s.now()
	s.mu.Lock()
	value, ok := s.kept.get(k, now)
	wrote := s.wrote
	s.mu.Unlock()
	if ok {
		return value.(T), nil // a kind of key has values of one type
	}
	loaded, size, err := load()
	if err != nil || size < 0 {
		return loaded, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wrote == wrote {
		s.kept.add(k, loaded, size, now, now.Add(s.moment))
	}
	return loaded, nil
}

func (s *Store) forget(keys ...key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wrote++
	for _, k := range keys {
		s.kept.remove(k)
	}
}
