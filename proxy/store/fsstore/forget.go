package fsstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/store"
)

var _ store.Forgetful = (*Store)(nil)

// readAtOnce bounds how many entries of a directory are held in memory.
const readAtOnce = 1024

// Forget implements store.Forgetful.
func (s *Store) Forget(ctx context.Context, since, listsSince time.Time) (int64, error) {
	f := &forgetting{Store: s, since: since, listsSince: listsSince}
	if err := s.WalkRepositories(ctx, func(r store.Repository) error { return f.repository(ctx, r) }); err != nil {
		return f.forgotten, fmt.Errorf("forgetting what leads nowhere: %w", err)
	}
	return f.forgotten, nil
}

// forgetting is one look at all links and tags.
type forgetting struct {
	*Store
	since, listsSince time.Time
	forgotten         int64
}

func (f *forgetting) repository(ctx context.Context, r store.Repository) error {
	root := f.repositoryPath(r)
	algorithms, err := readDirIfThere(filepath.Join(root, "_links"))
	if err != nil {
		return err
	}
	for _, algorithm := range algorithms {
		dir := filepath.Join(root, "_links", algorithm.Name())
		err := f.each(ctx, dir, func(name, path string) error {
			return f.keepsLink(r, digest.NewDigestFromEncoded(digest.Algorithm(algorithm.Name()), name), path)
		})
		if err != nil {
			return err
		}
	}
	err = f.each(ctx, filepath.Join(root, "_tags"), func(_, path string) error { return f.keepsTag(r, path) })
	f.tidy(filepath.Join(root, "_links"))
	for dir := root; dir != filepath.Join(f.root, "repositories") && os.Remove(dir) == nil; { // it fails while something is left
		dir = filepath.Dir(dir)
	}
	return err
}

// tidy removes a directory that has been empty for long: into one that was made lately a file may be about to come.
func (f *forgetting) tidy(dir string) {
	if usedSince(dir, f.since) == nil {
		_ = os.Remove(dir) // fails while something is left
	}
}

// keepsLink returns store.ErrInUse when a link stays. Most do, and are not read.
func (f *forgetting) keepsLink(r store.Repository, d digest.Digest, path string) error {
	if err := usedSince(path, f.since); err != nil {
		return err
	}
	if err := f.keepsObject(d); err != nil {
		return err
	}
	link, err := readJSON[store.Link](path)
	return keepsName(r, link.Effective, err)
}

// keepsTag returns store.ErrInUse when a tag stays.
func (f *forgetting) keepsTag(r store.Repository, path string) error {
	if r.AreLists() {
		return usedSince(path, f.listsSince)
	}
	if err := usedSince(path, f.since); err != nil {
		return err
	}
	tag, err := readJSON[store.Tag](path)
	if err := keepsName(r, tag.Effective, err); err != nil {
		return err
	}
	return f.keepsObject(tag.Digest)
}

// keepsName takes what cannot be read for what says nothing.
func keepsName(r store.Repository, effective string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return err
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err == nil && effective != r.Name:
		return store.ErrInUse
	default:
		return err
	}
}

// keepsObject returns store.ErrInUse for an object that is there, or on its way.
func (f *forgetting) keepsObject(d digest.Digest) error {
	if d.Validate() != nil {
		return nil //nolint:nilerr // What is no digest leads nowhere.
	}
	for _, path := range []string{f.partialPath(d), f.blobPath(d)} {
		switch _, err := os.Lstat(path); {
		case err == nil:
			return store.ErrInUse
		case !errors.Is(err, fs.ErrNotExist):
			return err
		}
	}
	return nil
}

// each removes the files of a directory that keep has no error for.
func (f *forgetting) each(ctx context.Context, path string, keep func(name, path string) error) error {
	f.tidy(path)
	dir, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return typed(err)
	}
	return errors.Join(f.eachIn(ctx, dir, keep), dir.Close())
}

func (f *forgetting) eachIn(ctx context.Context, dir *os.File, keep func(name, path string) error) error {
	for {
		entries, err := dir.ReadDir(readAtOnce)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return typed(err)
		}
		for _, entry := range entries {
			err := f.removeUnless(filepath.Join(dir.Name(), entry.Name()), func(path string) error { return keep(entry.Name(), path) })
			switch {
			case err == nil:
				f.forgotten++
			case !errors.Is(err, store.ErrInUse) && !errors.Is(err, fs.ErrNotExist):
				return typed(err)
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
	}
}
