// Package collect frees the space of what nothing names any more, while pushes go on.
//
// What a push has touched lately stays: a link is renewed by HEAD, by a mount, at the end of an upload and by a manifest that
// names it, before that is there. So a collection first lists what was not renewed for long, then reads every manifest, and
// then takes away what it listed, none names, and nobody has renewed since. A manifest that came too late to be read has
// renewed what it names before.
package collect

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/metrics"
	"github.com/registryhub/registryhub/proxy/store"
)

// The defaults of Options.
const (
	// DefaultAge is longer than any push takes from a blob to the manifest that names it.
	DefaultAge = 24 * time.Hour
	// DefaultEvery is how often there is a collection.
	DefaultEvery = 6 * time.Hour
)

// Store is what is collected.
type Store interface {
	store.Registry
	store.Lister
	store.Remover
}

// Options of a Collector. All fields are required, except Age, Every and Now.
type Options struct {
	// Hub is the hub's name, for logs.
	Hub   string
	Store Store
	// Age is how long something must not have been used to be taken away. Default: DefaultAge. Not less than two hours,
	// since stores know to the hour when an object was used.
	Age time.Duration
	// Every is the time between two collections. Default: DefaultEvery.
	Every time.Duration

	Logger  logr.Logger
	Metrics *metrics.Metrics
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// Collector collects from time to time.
type Collector struct{ Options }

// New returns a Collector.
func New(options Options) *Collector {
	if options.Age == 0 {
		options.Age = DefaultAge
	}
	if options.Every == 0 {
		options.Every = DefaultEvery
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	return &Collector{options}
}

// Run collects until the context ends.
func (c *Collector) Run(ctx context.Context) {
	for ctx.Err() == nil {
		if c.elected(ctx) {
			c.collect(ctx)
		}
		select {
		case <-ctx.Done():
		case <-time.After(c.Every):
		}
	}
}

// elected reports whether this process is the one that collects. That several do would harm nothing.
func (c *Collector) elected(ctx context.Context) bool {
	shared, is := c.Store.(store.Shared)
	elected := !is || shared.Elected(ctx)
	c.Metrics.Elected(elected)
	return elected
}

func (c *Collector) collect(ctx context.Context) {
	freed, err := c.Collect(ctx)
	if err != nil && ctx.Err() == nil {
		c.Logger.Error(err, "collection broke off: what nothing names stays until the next", "hub", c.Hub)
	}
	if freed.Links > 0 || freed.Objects > 0 {
		c.Logger.Info("what nothing names was removed", "hub", c.Hub, "links", freed.Links, "objects", freed.Objects, "bytes", freed.Bytes)
	}
	if freed.Objects > 0 {
		c.Metrics.Evicted("garbage", freed.Objects, freed.Bytes, c.Now())
	}
}

// Freed is what a collection has removed.
type Freed struct {
	// Links of repositories to blobs that no manifest of theirs names.
	Links int64
	// Objects that no repository has, and their Bytes.
	Objects, Bytes int64
}

// Collect collects once. On an error it has removed no more than it might have.
func (c *Collector) Collect(ctx context.Context) (Freed, error) {
	var freed Freed
	unusedSince := c.Now().Add(-c.Age)
	old, err := c.oldObjects(ctx, unusedSince)
	if err != nil {
		return freed, fmt.Errorf("listing objects: %w", err)
	}
	var repositories []store.Repository
	err = c.Store.WalkRepositories(ctx, func(r store.Repository) error {
		repositories = append(repositories, r)
		return nil
	})
	if err != nil {
		return freed, err
	}
	linked := set{}
	for _, r := range repositories {
		n, err := c.unlink(ctx, r, unusedSince, linked)
		freed.Links += n
		if err != nil {
			return freed, fmt.Errorf("looking through %s: %w", r.Name, err)
		}
	}
	err = c.remove(ctx, old, linked, unusedSince, &freed)
	if undertaker, is := c.Store.(store.Undertaker); err == nil && is {
		err = undertaker.Undertake(ctx, unusedSince)
	}
	return freed, err
}

// oldObjects are those that may go. They are listed before the links are, so that none is among them that was not there
// before the links that were looked at.
func (c *Collector) oldObjects(ctx context.Context, unusedSince time.Time) ([]store.Entry, error) {
	var old []store.Entry
	err := c.Store.Walk(ctx, func(e store.Entry) error {
		if !e.LastAccess.After(unusedSince) {
			old = append(old, e)
		}
		return nil
	})
	return old, err
}

// unlink takes from a repository what no manifest of it names, and adds what it has left to linked.
func (c *Collector) unlink(ctx context.Context, r store.Repository, unusedSince time.Time, linked set) (int64, error) {
	var old, manifests []digest.Digest
	err := c.Store.WalkLinks(ctx, r, func(link store.Link, renewed time.Time) error {
		switch {
		case link.Manifest:
			manifests = append(manifests, link.Digest)
		case !renewed.After(unusedSince):
			old = append(old, link.Digest)
			return nil
		}
		linked.add(link.Digest)
		return ctx.Err()
	})
	if err != nil || len(old) == 0 {
		return 0, err
	}
	named, err := c.namedBy(ctx, manifests)
	if err != nil {
		return 0, err
	}
	var n int64
	for _, d := range old {
		if named == nil || named.has(d) {
			linked.add(d)
			continue
		}
		gone, err := c.unlinkOne(ctx, r, d, unusedSince, linked)
		if err != nil {
			return n, err
		}
		n += gone
	}
	return n, nil
}

// unlinkOne returns how many links it took away.
func (c *Collector) unlinkOne(ctx context.Context, r store.Repository, d digest.Digest, unusedSince time.Time, linked set) (int64, error) {
	err := c.Store.UnlinkUnused(ctx, r, d, unusedSince)
	switch {
	case err == nil:
		return 1, nil
	case errors.Is(err, store.ErrInUse):
		linked.add(d)
		return 0, nil
	case errors.Is(err, store.ErrNotFound):
		return 0, nil
	}
	return 0, err
}

// remove removes objects that no repository has.
func (c *Collector) remove(ctx context.Context, old []store.Entry, linked set, unusedSince time.Time, freed *Freed) error {
	for _, e := range old {
		if linked.has(e.Digest) {
			continue
		}
		err := c.Store.Remove(ctx, e.Digest, unusedSince)
		switch {
		case err == nil:
			freed.Objects++
			freed.Bytes += e.Size
		case !errors.Is(err, store.ErrInUse) && !errors.Is(err, store.ErrNotFound):
			return err
		}
	}
	return nil
}
