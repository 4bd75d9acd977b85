package fsstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

	"github.com/registryhub/registryhub/proxy/store"
)

// partial is a locked file. Its lock goes with its file description, so that a killed process leaves none.
type partial struct {
	store  *Store
	digest digest.Digest
	file   *os.File
	length int64 // that an earlier fill left
	size   int64 // written so far

	mu   sync.Mutex // guards path against readers that open it while it is renamed
	path string
}

// Partial implements store.Content.
func (s *Store) Partial(_ context.Context, d digest.Digest, size int64) (store.Partial, error) {
	if err := d.Validate(); err != nil {
		return nil, fmt.Errorf("filling an object: %w", err)
	}
	file, err := lockFile(s.partialPath(d))
	if err != nil {
		return nil, fmt.Errorf("filling %s: %w", d, err)
	}
	p := &partial{store: s, digest: d, file: file, path: s.partialPath(d)}
	if _, err := os.Stat(s.blobPath(d)); err == nil {
		return nil, errors.Join(fmt.Errorf("filling %s: %w", d, store.ErrExists), p.Discard())
	}
	if err := p.adopt(size); err != nil {
		return nil, errors.Join(fmt.Errorf("filling %s: taking up what is there: %w", d, err), file.Close())
	}
	return p, nil
}

// lockFile opens a file that nobody else has locked. The file may be renamed or removed by its holder between the
// opening and the locking, so that the lock is on a file that is no longer at path: then it is opened again.
func lockFile(path string) (*os.File, error) {
	for {
		file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, fileMode)
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

// adopt finds how much an earlier fill left. A commit that was cut short left the trailer too, which is taken off;
// what is longer than the object can be is thrown away.
func (p *partial) adopt(size int64) error {
	info, err := p.file.Stat()
	if err != nil {
		return err
	}
	p.length = info.Size()
	if _, size, err := whole(p.file); err == nil {
		p.length = size
	}
	if size >= 0 && p.length > size {
		p.length = 0
	}
	if err := p.file.Truncate(p.length); err != nil {
		return err
	}
	p.size = p.length
	_, err = p.file.Seek(p.length, 0)
	return err
}

func (p *partial) Len() int64 { return p.length }

func (p *partial) Write(b []byte) (int, error) {
	n, err := p.file.Write(b)
	p.size += int64(n)
	if err != nil {
		return n, fmt.Errorf("filling %s at byte %d: %w", p.digest, p.size, typed(err))
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
	if proof.Digest() != p.digest || proof.Size() != p.size {
		return errors.Join(fmt.Errorf("committing %d bytes of %s: the proof is for %d bytes of %q",
			p.size, p.digest, proof.Size(), proof.Digest()), p.Discard())
	}
	if err := p.commit(); err != nil {
		return errors.Join(fmt.Errorf("committing %s: %w", p.digest, typed(err)), p.Discard())
	}
	return p.file.Close()
}

func (p *partial) commit() error {
	target := p.store.blobPath(p.digest)
	if err := ensureDir(filepath.Dir(target)); err != nil {
		return err
	}
	if _, err := p.file.Write(trailer(p.size)); err != nil {
		return err
	}
	if err := p.file.Sync(); err != nil {
		return err
	}
	if err := p.rename(target); err != nil {
		return err
	}
	return syncDir(filepath.Dir(target))
}

func (p *partial) rename(target string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := os.Rename(p.path, target); err != nil {
		return err
	}
	p.path = target
	return nil
}

// Discard removes the file while it is still locked, so that nobody adopts it in between.
func (p *partial) Discard() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := os.Remove(p.path)
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, p.file.Close())
}

func (p *partial) Close() error { return p.file.Close() }
