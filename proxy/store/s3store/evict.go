package s3store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/store"
)

// Remove implements store.Remover. Whether another process used the object in the last moment is looked up in the bucket, by
// the server's clock; one that opens it between that and the removal reads what it has begun to read, and no more.
func (s *Store) Remove(ctx context.Context, d digest.Digest, unusedSince time.Time) error {
	err := d.Validate()
	if err == nil && s.pins.Has(d) {
		err = store.ErrInUse
	}
	if err == nil {
		err = s.removeUnused(ctx, d, unusedSince)
	}
	if errors.Is(err, store.ErrNotFound) {
		err = s.removeFill(ctx, d, unusedSince)
	}
	if err != nil {
		return fmt.Errorf("removing %s: %w", d, err)
	}
	return nil
}

func (s *Store) removeUnused(ctx context.Context, d digest.Digest, unusedSince time.Time) error {
	info, err := s.bucket.stat(ctx, s.keys.blob(d))
	if err != nil {
		return err
	}
	mark, err := s.bucket.stat(ctx, s.keys.mark(d))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if lastAccess(info, mark).After(unusedSince) {
		return store.ErrInUse
	}
	if err := s.bucket.remove(ctx, s.keys.blob(d)); err != nil {
		return err
	}
	s.usage.grow(-info.Size)
	return s.bucket.remove(ctx, s.keys.mark(d))
}

// removeFill removes a fill of this process that it does not go on with.
func (s *Store) removeFill(ctx context.Context, d digest.Digest, unusedSince time.Time) error {
	size := int64(0)
	err := s.scratch.Walk(ctx, func(e store.Entry) error {
		if e.Digest == d {
			size = e.Size
		}
		return nil
	})
	if err == nil {
		err = s.scratch.Remove(ctx, d, unusedSince)
	}
	if err == nil {
		s.room.give(size)
	}
	return err
}

// lastAccess is the later of when an object was written and when it was marked.
func lastAccess(info, mark minio.ObjectInfo) time.Time {
	if mark.LastModified.After(info.LastModified) {
		return mark.LastModified
	}
	return info.LastModified
}
