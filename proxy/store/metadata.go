package store

import (
	"context"
	"time"

	"github.com/opencontainers/go-digest"
)

// Repository is a repository as clients name it: the key of links and tags. Its upstreams are interchangeable
// sources of it and no part of the key.
type Repository struct {
	// Host is the registry host of image references, in lower case, such as docker.io.
	Host string
	// Name within that host, such as library/debian.
	Name string
}

// Link says that an object may be served under a repository.
type Link struct {
	// Digest of the object, which need not be in the store.
	Digest digest.Digest `json:"digest"`
	// MediaType that the upstream, or the manifest that names the object, gives it.
	MediaType string `json:"mediaType,omitempty"`
	// Size in bytes that a manifest says the object has, 0 where none does. It is a hint: nothing was measured.
	Size int64 `json:"size,omitempty"`
	// Manifest is true for what is served under /manifests/.
	Manifest bool `json:"manifest,omitempty"`
	// Effective is the repository name under which the upstream has the object; it differs from the repository's
	// own when a fallback rule found it.
	Effective string `json:"effective"`
	// Descriptor is what a manifest that refers to another is listed as, in JSON; empty for anything else.
	Descriptor string `json:"descriptor,omitempty"`
}

// Links keeps which objects belong to which repository.
type Links interface {
	// Link adds links, or replaces those of the same digests, durably before it returns.
	Link(ctx context.Context, repository Repository, links ...Link) error
	// Linked returns the link of one digest. ErrNotFound.
	Linked(ctx context.Context, repository Repository, d digest.Digest) (Link, error)
}

// Tag is what is known of one tag.
type Tag struct {
	// Digest that the tag named when it was last validated. Its object and link were there before the tag.
	Digest digest.Digest `json:"digest"`
	// MediaType of that manifest.
	MediaType string `json:"mediaType"`
	// Effective is the repository name under which the upstream has the tag.
	Effective string `json:"effective"`
	// Upstream is the name of the upstream that said so.
	Upstream string `json:"upstream"`
	// ValidatedAt is when the upstream last confirmed it.
	ValidatedAt time.Time `json:"validatedAt"`
}

// Tags keeps what tags named.
type Tags interface {
	// Tag returns what a tag named. ErrNotFound.
	Tag(ctx context.Context, repository Repository, tag string) (Tag, error)
	// SetTag replaces it, durably before it returns.
	SetTag(ctx context.Context, repository Repository, tag string, entry Tag) error
	// DeleteTag forgets it. Deleting what is not there succeeds.
	DeleteTag(ctx context.Context, repository Repository, tag string) error
}
