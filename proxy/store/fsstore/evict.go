package fsstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

	"github.com/registryhub/registryhub/proxy/store"
)

// Usage implements store.Measurer with what an unprivileged process can have of the file system.
func (s *Store) Usage(context.Context) (store.Usage, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(s.root, &stat); err != nil {
		return store.Usage{}, fmt.Errorf("measuring the file system of %s: %w", s.root, err)
	}
	block, used := uint64(stat.Bsize), stat.Blocks-stat.Bfree //nolint:gosec // a block's size is never negative
	return store.Usage{
		Capacity: signed((used + stat.Bavail) * block), Used: signed(used * block),
		Inodes: signed(stat.Files), UsedInodes: signed(stat.Files - stat.Ffree),
	}, nil
}

func signed(n uint64) int64 { return int64(n) } //nolint:gosec // no file system has that many bytes or files

// Remove implements store.Remover. A removal that a crash undoes leaves a whole object, so that nothing is synced.
func (s *Store) Remove(_ context.Context, d digest.Digest, unusedSince time.Time) error {
	err := d.Validate()
	if err == nil && s.pins.Has(d) {
		err = store.ErrInUse
	}
	if err == nil {
		err = s.removeUnused(s.blobPath(d), unusedSince)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = s.removeUnlocked(s.partialPath(d), unusedSince)
	}
	if err != nil {
		return fmt.Errorf("removing %s: %w", d, typed(err))
	}
	return nil
}

// removeUnused removes a file that was not touched. Who opened it before has the file still.
func (s *Store) removeUnused(path string, unusedSince time.Time) error {
	return s.removeUnless(path, func(path string) error { return usedSince(path, unusedSince) })
}

// removeUnless removes a file that keep has no error for. It is put aside before keep looks at it for good: who touches it by
// its name has done so by then, and is seen, or finds no file.
func (s *Store) removeUnless(path string, keep func(path string) error) error {
	if err := keep(path); err != nil {
		return err
	}
	aside := filepath.Join(s.root, "tmp", "w-"+rand.Text())
	if err := os.Rename(path, aside); err != nil {
		return err
	}
	if err := keep(aside); err != nil {
		back := os.Link(aside, path)
		if errors.Is(back, fs.ErrExist) {
			back = nil // it was made anew
		}
		return errors.Join(err, back, os.Remove(aside))
	}
	return os.Remove(aside)
}

func usedSince(path string, since time.Time) error {
	info, err := os.Stat(path)
	if err == nil && info.ModTime().After(since) {
		err = store.ErrInUse
	}
	return err
}

// removeUnlocked removes the file of a fill that no process goes on with, and holds its lock meanwhile, so that none takes
// it up in between.
func (s *Store) removeUnlocked(path string, unusedSince time.Time) error {
	file, err := os.OpenFile(path, os.O_RDWR, fileMode)
	if err != nil {
		return err
	}
	err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	switch {
	case errors.Is(err, unix.EWOULDBLOCK), err == nil && !sameFile(file, path):
		err = store.ErrInUse
	case err == nil:
		err = s.removeUnused(path, unusedSince)
		if err == nil {
			err = newJournal(path).remove()
		}
	}
	return errors.Join(err, file.Close())
}
