package store

import (
	"context"
	"errors"

	"github.com/opencontainers/go-digest"
)

// ErrDamaged says that an object was not what it was written as: its bytes have another digest, some are missing, or cannot
// be read. It was put aside and is missing now, so that an error that is ErrDamaged is ErrNotFound too.
var ErrDamaged = errors.New("damaged")

// Parts is how many parts a Scrubbable is in: one for each first byte of a digest.
const Parts = 256

// Scrubbable is a store whose objects can be hashed again where they lie. A store need not be one; a caller finds out by
// type assertion.
type Scrubbable interface {
	// Part yields the digests of the objects whose digest begins with that byte, in no order. Objects that come or go
	// meanwhile may be left out. It ends with the context, and with the first error of yield.
	Part(ctx context.Context, first byte, yield func(digest.Digest) error) error

	// Scrub reads an object from end to end, hashes it, and returns its size. Before each piece it calls pace with
	// the length of it; an error of pace ends it. That an object is scrubbed is no access to it, and what of it no
	// cache held is in none afterwards. ErrNotFound; ErrDamaged: it was put aside.
	Scrub(ctx context.Context, d digest.Digest, pace func(ctx context.Context, bytes int64) error) (int64, error)

	// Tidy removes what has been put aside for long enough, and what is too much of it.
	Tidy(ctx context.Context) error
}
