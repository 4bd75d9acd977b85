// Package fsstore keeps content in a directory. The tree is the only truth: there is no index that could be lost.
//
//	blobs/<algorithm>/<2 hex>/<hex>              an object, then a trailer of 16 bytes that holds its size
//	partial/<algorithm>-<hex>                    a fill, locked (flock) by the process that writes it
//	partial/<algorithm>-<hex>.journal            what of it was written, with checksums
//	quarantine/<algorithm>-<hex>                 an object that was found damaged
//	repositories/<host>/<name...>/_links/<algorithm>/<hex>
//	repositories/<host>/<name...>/_tags/<tag>
//	tmp/                                         files before their rename
//	evictor                                      empty, locked (flock) by the process that evicts
//
// The trailer makes a truncated file known when it is opened, at the cost of one small read and no second file.
// Everything is written beside its place, synced, renamed, and its directory synced.
//
// When an object was last asked for is its file's time of modification, set at most once an hour.
package fsstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/registryhub/registryhub/proxy/store"
)

// staleTemporary is the age at which a file in tmp/ is taken to be left over from a crash.
const staleTemporary = time.Hour

const (
	dirMode  fs.FileMode = 0o750
	fileMode fs.FileMode = 0o640
)

// Store is a store.Store in a directory. Several processes may have the same directory.
type Store struct {
	root     string
	pins     store.Pins
	election election
}

var (
	_ store.Store      = (*Store)(nil)
	_ store.Evictable  = (*Store)(nil)
	_ store.Prober     = (*Store)(nil)
	_ store.Scrubbable = (*Store)(nil)
	_ store.Shared     = (*Store)(nil)
)

// folders of a store. The last is made last: where it is, there is a store.
var folders = []string{"partial", "quarantine", "repositories", "tmp", "blobs"}

// Open returns the store in a directory, which is made when missing. The directory must be writable, unless it holds a
// store already: that is served from while it cannot be written. The caller closes the store.
func Open(root string) (*Store, error) {
	s := &Store{root: root}
	err := s.prepare()
	if errors.Is(err, store.ErrFailing) && s.exists() {
		err = nil
	}
	if err != nil {
		return nil, fmt.Errorf("opening the store in %s: %w: make the directory writable for this user", root, err)
	}
	return s, nil
}

func (s *Store) exists() bool {
	info, err := os.Stat(filepath.Join(s.root, folders[len(folders)-1]))
	return err == nil && info.IsDir()
}

// prepare makes what is missing and removes what a crash left.
func (s *Store) prepare() error {
	for _, dir := range folders {
		if err := ensureDir(filepath.Join(s.root, dir)); err != nil {
			return err
		}
	}
	if err := s.removeLeftovers(); err != nil {
		return fmt.Errorf("removing what a crash left: %w", typed(err))
	}
	return nil
}

// removeLeftovers removes files that a crash left and nobody takes up. A young one may be that of a predecessor that drains.
func (s *Store) removeLeftovers() error {
	since := time.Now().Add(-staleTemporary)
	return errors.Join(
		removeStale(filepath.Join(s.root, "tmp"), since, os.Remove),
		removeStale(filepath.Join(s.root, "partial"), since, func(path string) error { return s.removeEnded(path, since) }),
	)
}

func removeStale(dir string, since time.Time, remove func(path string) error) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || info.ModTime().After(since) {
			continue // or gone meanwhile
		}
		err = remove(filepath.Join(dir, entry.Name()))
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, store.ErrInUse) {
			return err
		}
	}
	return nil
}
