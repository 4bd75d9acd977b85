package store

import (
	"context"
	"strings"
	"time"
)

// Forgetful is a store whose links and tags outlast the objects that they lead to, until they are forgotten. A store need
// not be one; a caller finds out by type assertion.
type Forgetful interface {
	// Forget removes the links and tags that were written before a time and lead to an object that is neither in the store
	// nor on its way there, and returns how many went. What has another effective name than its repository stays: nobody
	// else knows that name. A tag of Lists goes when it was written before listsSince, wherever it leads. Forget
	// ends with the context.
	Forget(ctx context.Context, since, listsSince time.Time) (int64, error)
}

// listsBelow is put behind a repository's name to make that of its lists.
const listsBelow = "/_lists"

// Lists is where lists of a repository are kept, each as an object to which a tag leads. No repository of a client's can have
// that name, so that a list is never served as a manifest, by whatever tag or digest.
func (r Repository) Lists() Repository { return Repository{Host: r.Host, Name: r.Name + listsBelow} }

// AreLists reports whether it is the Lists of a repository.
func (r Repository) AreLists() bool { return strings.HasSuffix(r.Name, listsBelow) }
