package fsstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/store"
)

var (
	_ store.Catalog  = (*Store)(nil)
	_ store.Registry = (*Store)(nil)
)

// Has implements store.Catalog.
func (s *Store) Has(_ context.Context, r store.Repository) (bool, error) {
	var errs []error
	for _, folder := range []string{"_links", "_tags"} {
		_, err := os.Stat(filepath.Join(s.repositoryPath(r), folder))
		if err == nil {
			return true, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return false, fmt.Errorf("looking for %s/%s: %w", r.Host, r.Name, typed(err))
	}
	return false, nil
}

// TagNames implements store.Catalog.
func (s *Store) TagNames(_ context.Context, r store.Repository) ([]string, error) {
	entries, err := readDirIfThere(filepath.Join(s.repositoryPath(r), "_tags"))
	if err != nil {
		return nil, fmt.Errorf("listing the tags of %s/%s: %w", r.Host, r.Name, err)
	}
	names := make([]string, 0, len(entries))
	for _, entry := range entries {
		if name, err := url.PathUnescape(entry.Name()); err == nil {
			names = append(names, name)
		}
	}
	return names, nil
}

// GiveTag implements store.Catalog.
func (s *Store) GiveTag(_ context.Context, r store.Repository, tag string, entry store.Tag) error {
	path := s.tagPath(r, tag)
	err := s.linkJSON(path, entry)
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("giving %s/%s:%s: %w", r.Host, r.Name, tag, err)
	}
	return nil
}

// linkJSON writes a file, unless there is one of its name: store.ErrExists.
func (s *Store) linkJSON(path string, value any) error {
	data, err := json.Marshal(value)
	if err == nil {
		err = ensureDir(filepath.Dir(path))
	}
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Join(s.root, "tmp"), "w-*")
	if err != nil {
		return typed(err)
	}
	err = writeAndSync(file, [][]byte{data})
	if err == nil {
		err = os.Link(file.Name(), path)
	}
	if errors.Is(err, fs.ErrExist) {
		err = store.ErrExists
	}
	return typed(errors.Join(err, os.Remove(file.Name())))
}

// WalkLinks implements store.Catalog.
func (s *Store) WalkLinks(_ context.Context, r store.Repository, yield func(store.Link, time.Time) error) error {
	dir := filepath.Join(s.repositoryPath(r), "_links")
	algorithms, err := readDirIfThere(dir)
	for _, algorithm := range algorithms {
		if err == nil {
			err = walkLinks(filepath.Join(dir, algorithm.Name()), yield)
		}
	}
	if err != nil {
		return fmt.Errorf("listing what is in %s/%s: %w", r.Host, r.Name, err)
	}
	return nil
}

func walkLinks(dir string, yield func(store.Link, time.Time) error) error {
	entries, err := readDirIfThere(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			continue // gone meanwhile
		}
		link, err := readJSON[store.Link](filepath.Join(dir, entry.Name()))
		if errors.Is(err, store.ErrNotFound) || err == nil && link.Digest.Encoded() != entry.Name() {
			continue // gone meanwhile, or one that speaks for nothing
		}
		if err == nil {
			err = yield(link, info.ModTime())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func readDirIfThere(dir string) ([]fs.DirEntry, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return entries, typed(err)
}

// WalkRepositories implements store.Catalog.
func (s *Store) WalkRepositories(ctx context.Context, yield func(store.Repository) error) error {
	root := filepath.Join(s.root, "repositories")
	seen := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil || !entry.IsDir() {
			return err
		}
		if name := entry.Name(); name != "_links" && name != "_tags" {
			return nil
		}
		dir := filepath.Dir(path)
		if repository, known := repositoryIn(root, dir); known && !seen[dir] {
			seen[dir] = true
			err = yield(repository)
		}
		if err == nil {
			err = fs.SkipDir
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("listing repositories: %w", typed(err))
	}
	return nil
}

// repositoryIn is the repository of a directory. One whose name was too long to be kept is not known.
func repositoryIn(root, dir string) (store.Repository, bool) {
	path, err := filepath.Rel(root, dir)
	if err != nil {
		return store.Repository{}, false
	}
	parts := strings.Split(path, string(filepath.Separator))
	for i, part := range parts {
		if parts[i], err = url.PathUnescape(part); err != nil {
			return store.Repository{}, false
		}
	}
	if len(parts) < 2 {
		return store.Repository{}, false
	}
	return store.Repository{Host: parts[0], Name: strings.Join(parts[1:], "/")}, true
}

// Renew implements store.Catalog: when a link was used last is its file's time of modification.
func (s *Store) Renew(_ context.Context, r store.Repository, d digest.Digest) error {
	err := d.Validate()
	if err == nil {
		err = touchNow(s.linkPath(r, d))
	}
	if err != nil {
		return fmt.Errorf("renewing %s in %s/%s: %w", d, r.Host, r.Name, err)
	}
	return nil
}

// Keep implements store.Catalog.
func (s *Store) Keep(_ context.Context, d digest.Digest) error {
	err := d.Validate()
	if err == nil {
		err = touchNow(s.blobPath(d))
	}
	if err != nil {
		return fmt.Errorf("keeping %s: %w", d, err)
	}
	return nil
}

func touchNow(path string) error {
	now := time.Now()
	return typed(os.Chtimes(path, now, now))
}

// Unlink implements store.Catalog.
func (s *Store) Unlink(_ context.Context, r store.Repository, d digest.Digest) error {
	err := d.Validate()
	path := ""
	if err == nil {
		path = s.linkPath(r, d)
		err = os.Remove(path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("taking %s from %s/%s: %w", d, r.Host, r.Name, typed(err))
	}
	return nil
}

// UnlinkUnused implements store.Catalog.
func (s *Store) UnlinkUnused(_ context.Context, r store.Repository, d digest.Digest, unusedSince time.Time) error {
	err := d.Validate()
	if err == nil {
		err = s.removeUnused(s.linkPath(r, d), unusedSince)
	}
	if err == nil {
		err = syncDir(filepath.Dir(s.linkPath(r, d)))
	}
	if err != nil {
		return fmt.Errorf("taking %s from %s/%s: %w", d, r.Host, r.Name, typed(err))
	}
	return nil
}
