package fsstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

	"github.com/registryhub/registryhub/proxy/store"
)

// partial is a locked file. Its lock goes with its file description, so that a killed process leaves none.
type partial struct {
	store  *Store
	digest digest.Digest
	file   *os.File
	left   store.Extents // by an earlier fill

	mu      sync.Mutex // guards what follows
	written store.Extents
	journal *journal
	path    string // changes when the file is renamed, while readers open it
}

// Partial implements store.Content.
func (s *Store) Partial(_ context.Context, d digest.Digest, size int64) (store.Partial, error) {
	if err := d.Validate(); err != nil {
		return nil, fmt.Errorf("filling an object: %w", err)
	}
	file, err := lockFile(s.partialPath(d), os.O_RDWR)
	if err != nil {
		return nil, fmt.Errorf("filling %s: %w", d, err)
	}
	p := &partial{store: s, digest: d, file: file, path: s.partialPath(d), journal: newJournal(s.partialPath(d))}
	if exists(s.blobPath(d)) {
		return nil, errors.Join(fmt.Errorf("filling %s: %w", d, store.ErrExists), p.Discard())
	}
	if err := p.adopt(size); err != nil {
		return nil, errors.Join(fmt.Errorf("filling %s: taking up what is there: %w", d, err), file.Close())
	}
	return p, nil
}

// lockFile opens a file that nobody else has locked, for reading or for both. The file may be renamed or removed by its holder between the
// opening and the locking, so that the lock is on a file that is no longer at path: then it is opened again.
func lockFile(path string, mode int) (*os.File, error) {
	for {
		file, err := os.OpenFile(path, mode|os.O_CREATE, fileMode)
		if err != nil {
			return nil, typed(err)
		}
		if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			if errors.Is(err, unix.EWOULDBLOCK) {
				err = store.ErrLocked
			}
			return nil, errors.Join(err, file.Close())
		}
		if sameFile(file, path) {
			return file, nil
		}
		if err := file.Close(); err != nil {
			return nil, err
		}
	}
}

func sameFile(file *os.File, path string) bool {
	held, err := file.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(path)
	return err == nil && os.SameFile(held, named)
}

// adopt finds what an earlier fill left: what its journal speaks of and the file still has. More than the object can
// have is thrown away.
func (p *partial) adopt(size int64) error {
	left, err := p.journal.adopt(p.file)
	if err != nil {
		return err
	}
	if size >= 0 && len(left) > 0 && left[len(left)-1].End > size {
		left = nil
	}
	if left == nil {
		err = errors.Join(p.file.Truncate(0), p.journal.clear())
	}
	p.left = left
	for _, run := range left {
		p.written = p.written.Add(run)
	}
	return err
}

func (p *partial) Left() store.Extents { return p.left }

func (p *partial) WriteAt(b []byte, offset int64) (int, error) {
	n, err := p.file.WriteAt(b, offset)
	p.mu.Lock()
	p.written = p.written.Add(store.Extent{Start: offset, End: offset + int64(n)})
	p.journal.add(offset, b[:n])
	p.mu.Unlock()
	if err != nil {
		return n, fmt.Errorf("filling %s at byte %d: %w", p.digest, offset+int64(n), typed(err))
	}
	return n, nil
}

func (p *partial) Reader(context.Context) (store.Reader, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r, err := p.store.open(p.digest, p.path)
	if err != nil {
		return nil, fmt.Errorf("reading the fill of %s: %w", p.digest, typed(err))
	}
	return r, nil
}

func (p *partial) Commit(_ context.Context, proof store.Proof) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if proof.Digest() != p.digest || !p.written.Whole(proof.Size()) {
		return errors.Join(fmt.Errorf("committing %v of %s: the proof is for %d bytes of %q",
			p.written, p.digest, proof.Size(), proof.Digest()), p.discard())
	}
	if err := p.commit(proof.Size()); err != nil {
		return errors.Join(fmt.Errorf("committing %s: %w", p.digest, typed(err)), p.discard())
	}
	return errors.Join(p.journal.remove(), p.file.Close())
}

func (p *partial) commit(size int64) error {
	target := p.store.blobPath(p.digest)
	if err := ensureDir(filepath.Dir(target)); err != nil {
		return err
	}
	if err := p.file.Truncate(size); err != nil {
		return err
	}
	if _, err := p.file.WriteAt(trailer(size), size); err != nil {
		return err
	}
	if err := p.file.Sync(); err != nil {
		return err
	}
	if err := os.Rename(p.path, target); err != nil {
		return err
	}
	p.path = target
	return syncDir(filepath.Dir(target))
}

func (p *partial) Discard() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.discard()
}

// discard removes the file while it is still locked, so that nobody adopts it in between.
func (p *partial) discard() error {
	err := os.Remove(p.path)
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, p.journal.remove(), p.file.Close())
}

func (p *partial) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return errors.Join(p.journal.close(), p.file.Close())
}

// removeEnded removes a file in partial/ that is of no fill any more: its object is in the store, or it is the journal of
// a fill that is not there.
func (s *Store) removeEnded(path string, since time.Time) error {
	if isOrphan(path) {
		return os.Remove(path)
	}
	d := digest.Digest(strings.Replace(filepath.Base(path), "-", ":", 1))
	if d.Validate() == nil && exists(s.blobPath(d)) {
		return s.removeUnlocked(path, since)
	}
	return nil // somebody else's, or one that the next fill takes up
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
