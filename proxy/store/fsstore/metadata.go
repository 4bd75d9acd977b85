package fsstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/registryhub/registryhub/proxy/store"
)

// syncsAtOnce bounds the links that are written beside each other: a journal commits their syncs together.
const syncsAtOnce = 8

// Link implements store.Links. A link that is there already in the same words is not written again, but is not forgotten as
// an old one either.
func (s *Store) Link(ctx context.Context, r store.Repository, links ...store.Link) error {
	var group errgroup.Group
	group.SetLimit(syncsAtOnce)
	dirs := map[string]bool{}
	for _, link := range links {
		if err := link.Digest.Validate(); err != nil {
			return fmt.Errorf("linking in %s/%s: %w", r.Host, r.Name, err)
		}
		path := s.linkPath(r, link.Digest)
		if known, err := s.Linked(ctx, r, link.Digest); err == nil && known == link && touchNow(path) == nil {
			continue
		}
		dirs[filepath.Dir(path)] = true
		group.Go(func() error { return s.writeJSON(path, link) })
	}
	err := group.Wait()
	for dir := range dirs {
		err = errors.Join(err, syncDir(dir))
	}
	if err != nil {
		return fmt.Errorf("linking in %s/%s: %w", r.Host, r.Name, err)
	}
	return nil
}

// Linked implements store.Links.
func (s *Store) Linked(_ context.Context, r store.Repository, d digest.Digest) (store.Link, error) {
	if err := d.Validate(); err != nil {
		return store.Link{}, fmt.Errorf("looking up a link: %w", err)
	}
	link, err := readJSON[store.Link](s.linkPath(r, d))
	if err == nil && link.Digest != d {
		err = store.ErrNotFound // a file in the wrong place speaks for nothing
	}
	if err != nil {
		return store.Link{}, fmt.Errorf("looking up %s in %s/%s: %w", d, r.Host, r.Name, err)
	}
	return link, nil
}

// Tag implements store.Tags.
func (s *Store) Tag(_ context.Context, r store.Repository, tag string) (store.Tag, error) {
	entry, err := readJSON[store.Tag](s.tagPath(r, tag))
	if err == nil && entry.Digest.Validate() != nil {
		err = store.ErrNotFound // nothing can be fetched by it: ask again
	}
	if err != nil {
		return store.Tag{}, fmt.Errorf("looking up %s/%s:%s: %w", r.Host, r.Name, tag, err)
	}
	return entry, nil
}

// SetTag implements store.Tags.
func (s *Store) SetTag(_ context.Context, r store.Repository, tag string, entry store.Tag) error {
	path := s.tagPath(r, tag)
	err := s.writeJSON(path, entry)
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("keeping %s/%s:%s: %w", r.Host, r.Name, tag, err)
	}
	return nil
}

// DeleteTag implements store.Tags.
func (s *Store) DeleteTag(_ context.Context, r store.Repository, tag string) error {
	path := s.tagPath(r, tag)
	err := os.Remove(path)
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("forgetting %s/%s:%s: %w", r.Host, r.Name, tag, typed(err))
	}
	return nil
}

// writeJSON writes a file. Its directory may be removed before the file is in it, having been empty for long; one that was made
// lately is not.
func (s *Store) writeJSON(path string, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	for range 2 {
		if err = ensureDir(filepath.Dir(path)); err == nil {
			err = s.writeFile(path, data)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return err
}

// readJSON takes a file that cannot be read as JSON for one that is not there: it is written anew.
func readJSON[T any](path string) (T, error) {
	var value T
	data, err := os.ReadFile(path)
	if err != nil {
		return value, typed(err)
	}
	if err := json.Unmarshal(data, &value); err != nil {
		return value, fmt.Errorf("%w: %s: %w", store.ErrNotFound, path, err)
	}
	return value, nil
}
