package fsstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/store"
)

// What is kept of damaged objects for a person to look at: the last of each digest, the youngest of all, so many, so
// long, and up to that share of the file system.
const (
	quarantineFiles = 64
	quarantineAge   = 30 * 24 * time.Hour
	quarantineShare = 20
)

// quarantine puts a damaged object aside. Its file's time of modification becomes the time of that. The file is compared
// first: another may have taken its place since the damage was seen.
func (s *Store) quarantine(ctx context.Context, d digest.Digest, damaged *os.File, cause error) error {
	if !sameFile(damaged, s.blobPath(d)) {
		return fmt.Errorf("opening %s: it was damaged and is gone: %w: %w: %w", d, store.ErrDamaged, cause, store.ErrNotFound)
	}
	aside := s.quarantinePath(d)
	if err := os.Rename(s.blobPath(d), aside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("putting %s aside, which is damaged (%w): %w", d, cause, typed(err))
	}
	now := time.Now()
	_ = os.Chtimes(aside, now, now) // at worst it goes the sooner
	_ = s.tidy(ctx, now)            // what cannot be removed now is with the next, and told by Tidy
	return fmt.Errorf("opening %s: it was damaged and is now in quarantine: %w: %w: %w", d, store.ErrDamaged, cause, store.ErrNotFound)
}

// Tidy implements store.Scrubbable.
func (s *Store) Tidy(ctx context.Context) error {
	if err := s.tidy(ctx, time.Now()); err != nil {
		return fmt.Errorf("tidying the quarantine of %s: %w", s.root, typed(err))
	}
	return nil
}

func (s *Store) tidy(ctx context.Context, now time.Time) error {
	files, err := s.asides()
	if err != nil {
		return err
	}
	usage, err := s.Usage(ctx)
	if err != nil {
		return err
	}
	var errs []error
	room := usage.Capacity / quarantineShare
	for i, file := range files {
		room -= allocated(file)
		if i < quarantineFiles && room >= 0 && now.Sub(file.ModTime()) < quarantineAge {
			continue
		}
		if err := os.Remove(filepath.Join(s.root, "quarantine", file.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// asides are the files in quarantine, the youngest first.
func (s *Store) asides() ([]fs.FileInfo, error) {
	entries, err := os.ReadDir(filepath.Join(s.root, "quarantine"))
	if err != nil {
		return nil, err
	}
	files := make([]fs.FileInfo, 0, len(entries))
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil { // else it is gone meanwhile
			files = append(files, info)
		}
	}
	slices.SortFunc(files, func(a, b fs.FileInfo) int {
		return cmp.Or(b.ModTime().Compare(a.ModTime()), cmp.Compare(a.Name(), b.Name()))
	})
	return files, nil
}
