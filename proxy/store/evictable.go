package store

import (
	"context"
	"time"

	"github.com/opencontainers/go-digest"
)

// Evictable is a store from which objects can be removed while it is used. A store need not be one; a caller finds out
// by type assertion.
type Evictable interface {
	Measurer
	Lister
	Remover
}

// Usage is how full the place is that a store is kept in. What others keep there counts as well.
type Usage struct {
	// Capacity is what can be had, and Used what is taken of it, in bytes.
	Capacity, Used int64
	// Inodes is how many files there can be, 0 where there is no such limit; UsedInodes is how many there are.
	Inodes, UsedInodes int64
}

// Measurer tells how full a store is.
type Measurer interface {
	// Usage is cheap enough to be asked every few seconds.
	Usage(ctx context.Context) (Usage, error)
}

// Entry is an object that may be removed, or a fill that may: one that no process ended is removed like an object.
type Entry struct {
	Digest digest.Digest
	// Size is how many bytes are had back by removing it.
	Size int64
	// LastAccess is when it was last opened, or written, to the hour.
	LastAccess time.Time
}

// Lister finds what may be removed.
type Lister interface {
	// Walk yields every entry once, in no order. Objects that come or go meanwhile may be left out. It ends with
	// the context, and with the first error of yield.
	Walk(ctx context.Context, yield func(Entry) error) error

	// Sample yields the entries of parts chosen by chance until it has yielded so many, or all. Its cost does not
	// grow with the store.
	Sample(ctx context.Context, atLeast int, yield func(Entry) error) error
}

// Remover removes objects. Their links and tags stay: the object may be fetched again.
type Remover interface {
	// Remove removes an object, or a fill, that was not used after unusedSince. Who reads it all the same reads it
	// to its end. ErrInUse, ErrNotFound.
	Remove(ctx context.Context, d digest.Digest, unusedSince time.Time) error
}

// Shared is a store in a place that several processes keep, each of which looks after it. What is removed twice does no
// harm; that each makes the room that one was to make does, and that all look for what goes or rots, where looking costs.
type Shared interface {
	// Elected reports whether this process is the one that evicts and scrubs now. It is cheap enough to be asked every few
	// seconds. Who cannot know is not, unless it can remove all the same: one at least has to.
	Elected(ctx context.Context) bool
}
