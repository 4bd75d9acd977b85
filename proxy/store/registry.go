package store

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/opencontainers/go-digest"
)

// Registry is a store that can be pushed to. A store need not be one: what is on one that is not is served, and written
// by nobody.
type Registry interface {
	Store
	Uploads
	Catalog
}

// ErrConflict says that an upload is not where the caller takes it to be: somebody else went on with it. Nothing of what the
// caller brought was added.
var ErrConflict = errors.New("somebody else went on with it")

// UploadID names an upload. It is made by chance, and to know it is not to have a right to it.
type UploadID [16]byte

// Upload is what of a push was acknowledged.
type Upload struct {
	ID UploadID
	// Repository that it was begun for.
	Repository Repository
	// Size is the number of bytes so far.
	Size int64
}

// Uploads keeps what is being pushed until it is whole. Any process on the same place can go on with an upload where any
// other left it; of several that do at once, one wins, and the bytes of no two are mixed.
type Uploads interface {
	// BeginUpload begins an upload of nothing yet.
	BeginUpload(ctx context.Context, repository Repository) (Upload, error)

	// Upload returns what was acknowledged. ErrNotFound.
	Upload(ctx context.Context, id UploadID) (Upload, error)

	// Append adds all that body has, durably before it returns, if the upload has offset bytes then. ErrNotFound,
	// ErrConflict, ErrNoSpace, or an error of body: nothing was added.
	Append(ctx context.Context, id UploadID, offset int64, body io.Reader) (Upload, error)

	// Finish adds all that body has, as Append does, and makes the whole an object, which ends the upload. A
	// *MismatchError says that the digest is not that of the bytes: nothing was added. It may be called again, without a
	// body, when nobody knows what became of the first call. It returns the object's size.
	Finish(ctx context.Context, id UploadID, offset int64, body io.Reader, want digest.Digest) (int64, error)

	// CancelUpload throws an upload away. ErrNotFound.
	CancelUpload(ctx context.Context, id UploadID) error

	// ReapUploads throws away those with which nobody went on since a time, and returns how many these were.
	ReapUploads(ctx context.Context, unusedSince time.Time) (int, error)
}

// Catalog tells what repositories have, and takes it from them.
type Catalog interface {
	// Has reports whether a repository has, or ever had, a link or a tag.
	Has(ctx context.Context, repository Repository) (bool, error)

	// TagNames returns the names of a repository's tags, in no order.
	TagNames(ctx context.Context, repository Repository) ([]string, error)

	// GiveTag is SetTag of a tag that is not there, durably before it returns. ErrExists: it is there, and stays as it is. Of
	// many who give one at once, one does.
	GiveTag(ctx context.Context, repository Repository, tag string, entry Tag) error

	// WalkRepositories yields every repository that has, or ever had, a link or a tag, in no order. It ends with the context,
	// and with the first error of yield.
	WalkRepositories(ctx context.Context, yield func(Repository) error) error

	// WalkLinks yields a repository's links, in no order, and when each was made or renewed last. It ends with the first error
	// of yield.
	WalkLinks(ctx context.Context, repository Repository, yield func(link Link, renewed time.Time) error) error

	// Renew says that a link is used, as if it had been made now. ErrNotFound.
	Renew(ctx context.Context, repository Repository, d digest.Digest) error

	// Keep says that an object is used, now and not to the hour. It is not removed as unused after that, or else the answer is
	// ErrNotFound.
	Keep(ctx context.Context, d digest.Digest) error

	// Unlink takes an object from a repository, durably before it returns. The object stays. ErrNotFound.
	Unlink(ctx context.Context, repository Repository, d digest.Digest) error

	// UnlinkUnused is Unlink of what was not renewed after unusedSince. Whoever renews a link meanwhile either has it still,
	// or is told that it is gone. ErrInUse, ErrNotFound.
	UnlinkUnused(ctx context.Context, repository Repository, d digest.Digest, unusedSince time.Time) error
}

// Chunked is what Uploads may be beside: those in which a chunk of that length or more is a piece of its own. A shorter one is
// taken all the same, and kept again with what comes after it. A caller finds out by type assertion.
type Chunked interface {
	// LeastChunk is in bytes; 0 says that none is too short.
	LeastChunk() int64
}

// Undertaker is what a Catalog may be beside: one in which what was taken away leaves a trace, which others need who were about
// to use it. A caller finds out by type assertion.
type Undertaker interface {
	// Undertake removes the traces of what was taken away before a time.
	Undertake(ctx context.Context, goneSince time.Time) error
}
