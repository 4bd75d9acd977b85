// Package store is the contract between the proxy and where its content is kept. It knows nothing of files: a
// directory (fsstore) is its first implementation, an object store can be another. Every implementation runs the
// suite in storetest.
//
// Three things are kept:
//   - objects, by digest: blobs and manifests alike, each verified before it is kept (Content);
//   - links, by repository and digest: which objects may be served under a repository, and under which name an
//     upstream has them (Links);
//   - tags, by repository and tag (Tags).
//
// They are written in an order that a crash cannot make untrue: the links of everything a manifest names, then the
// manifest, then its own link, then the tag. A reader that finds the later finds the earlier.
//
// The interfaces are small. What only some stores can do is an optional interface that a caller discovers by type
// assertion: a section that implements io.WriterTo hands its bytes to the kernel, an object that is InMemory need not be
// read, one that is Suspect can be looked at again, a store that is Evictable can be kept from running full.
package store

import (
	"context"
	"errors"
	"io"

	"github.com/opencontainers/go-digest"
)

// Errors of a store, found with errors.Is.
var (
	// ErrNotFound says that there is no such object, link or tag. An object that was found damaged (truncated,
	// say) is put aside and reported so, so that it is fetched again.
	ErrNotFound = errors.New("not in the store")

	// ErrExists says that the object is whole already: open it instead of filling it.
	ErrExists = errors.New("already in the store")

	// ErrLocked says that another process fills the object: a predecessor that is draining, on the same volume.
	ErrLocked = errors.New("being filled by another process")

	// ErrInUse says that an object cannot be removed: it is being read or filled, or was used since.
	ErrInUse = errors.New("in use")

	// ErrNoSpace says that the store is full. What was written before stays readable.
	ErrNoSpace = errors.New("no space left in the store")
)

// Store is all of it. Methods may be called concurrently, also by several processes on the same place.
type Store interface {
	Content
	Links
	Tags
}

// Content keeps objects by their digest. What is in it was verified on the way in.
type Content interface {
	// Open returns an object, to be closed by the caller. ErrNotFound: absent, or damaged and put aside.
	Open(ctx context.Context, d digest.Digest) (Object, error)

	// Put keeps a small object, such as a manifest, durably before it returns. The proof must be that of data.
	// Putting what is there already succeeds. ErrNoSpace: nothing was kept.
	Put(ctx context.Context, proof Proof, data []byte) error

	// Partial begins the fill of an object, or takes up an earlier one where it was left. The caller has it
	// alone, among all processes, until it ends it. Size is in bytes, -1 where not known. ErrExists, ErrLocked.
	Partial(ctx context.Context, d digest.Digest, size int64) (Partial, error)
}

// Reader reads parts of an object. It stays good when the object is deleted, committed or discarded meanwhile; of a store
// that keeps no handles, a large object that another process removed is ErrNotFound from the next section on.
type Reader interface {
	// Section returns the bytes from offset on, length of them; the section ends with io.EOF after the last. A
	// section that implements io.WriterTo is fastest copied by io.Copy. Sections of one Reader are read one at
	// a time.
	Section(ctx context.Context, offset, length int64) (io.ReadCloser, error)
	io.Closer
}

// Object is a whole object.
type Object interface {
	Reader
	// Size in bytes.
	Size() int64
}

// InMemory is what an Object may be beside. A caller finds out by type assertion.
type InMemory interface {
	// Bytes are those of the whole object, shared with others: they must not be changed.
	Bytes() []byte
}

// Partial is an object on its way into the store. Its bytes may come in any order, from several goroutines; any number
// read what was written. It ends with exactly one of Commit, Discard and Close, when nobody writes any more.
type Partial interface {
	// WriteAt keeps bytes at an offset. Calls at the same time must be for different bytes. ErrNoSpace: the first n
	// bytes were kept.
	io.WriterAt

	// Left is what an earlier fill left, when the Partial was opened: hash it before building on it.
	Left() Extents

	// Reader reads what was written so far, whenever it was written.
	Reader(ctx context.Context) (Reader, error)

	Ending
}

// Ending is how a Partial ends.
type Ending interface {
	// Commit makes the partial an object, durably. It refuses a proof of anything but all that was written. On
	// an error the partial is gone, readers of it excepted.
	Commit(ctx context.Context, proof Proof) error

	// Discard throws the bytes away.
	Discard() error

	// Close keeps the bytes for whoever opens the partial next.
	Close() error
}
