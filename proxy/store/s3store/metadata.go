package s3store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/minio/minio-go/v7"
	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/registryhub/registryhub/proxy/store"
)

// linksAtOnce bounds the links that are written beside each other.
const linksAtOnce = 16

var jsonDocument = minio.PutObjectOptions{ContentType: "application/json"}

// Link implements store.Links. A link that is there already in the same words is not written again.
func (s *Store) Link(ctx context.Context, r store.Repository, links ...store.Link) error {
	for _, link := range links {
		if err := link.Digest.Validate(); err != nil {
			return fmt.Errorf("linking in %s/%s: %w", r.Host, r.Name, err)
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(linksAtOnce)
	for _, link := range links {
		group.Go(func() error {
			if known, err := s.Linked(ctx, r, link.Digest); err == nil && known == link {
				return nil
			}
			return s.writeJSON(ctx, s.keys.link(r, link.Digest), link)
		})
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("linking in %s/%s: %w", r.Host, r.Name, err)
	}
	return nil
}

// Linked implements store.Links.
func (s *Store) Linked(ctx context.Context, r store.Repository, d digest.Digest) (store.Link, error) {
	if err := d.Validate(); err != nil {
		return store.Link{}, fmt.Errorf("looking up a link: %w", err)
	}
	link, err := readJSON[store.Link](ctx, &s.bucket, s.keys.link(r, d))
	if err == nil && link.Digest != d {
		err = store.ErrNotFound // a document in the wrong place speaks for nothing
	}
	if err != nil {
		return store.Link{}, fmt.Errorf("looking up %s in %s/%s: %w", d, r.Host, r.Name, err)
	}
	return link, nil
}

// Tag implements store.Tags.
func (s *Store) Tag(ctx context.Context, r store.Repository, tag string) (store.Tag, error) {
	entry, err := readJSON[store.Tag](ctx, &s.bucket, s.keys.tag(r, tag))
	if err == nil && entry.Digest.Validate() != nil {
		err = store.ErrNotFound // nothing can be fetched by it: ask again
	}
	if err != nil {
		return store.Tag{}, fmt.Errorf("looking up %s/%s:%s: %w", r.Host, r.Name, tag, err)
	}
	return entry, nil
}

// SetTag implements store.Tags.
func (s *Store) SetTag(ctx context.Context, r store.Repository, tag string, entry store.Tag) error {
	if err := s.writeJSON(ctx, s.keys.tag(r, tag), entry); err != nil {
		return fmt.Errorf("keeping %s/%s:%s: %w", r.Host, r.Name, tag, err)
	}
	return nil
}

// DeleteTag implements store.Tags.
func (s *Store) DeleteTag(ctx context.Context, r store.Repository, tag string) error {
	if err := s.bucket.remove(ctx, s.keys.tag(r, tag)); err != nil {
		return fmt.Errorf("forgetting %s/%s:%s: %w", r.Host, r.Name, tag, err)
	}
	return nil
}

func (s *Store) writeJSON(ctx context.Context, key string, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return s.bucket.write(ctx, key, data, jsonDocument)
}

// readJSON takes a document that cannot be read as JSON for one that is not there: it is written anew.
func readJSON[T any](ctx context.Context, b *bucket, key string) (T, error) {
	var value T
	found, err := b.read(ctx, key)
	if err != nil {
		return value, err
	}
	if err := json.Unmarshal(found.content, &value); err != nil {
		return value, fmt.Errorf("%w: %s: %w", store.ErrNotFound, key, err)
	}
	return value, nil
}
