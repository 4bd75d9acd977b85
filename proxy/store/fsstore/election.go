package fsstore

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/registryhub/registryhub/proxy/store"
)

// election is whether this process is elected. Who is has a file locked as long as the store is open: the kernel unlocks it for a
// process that dies, and a file server for a machine that does.
type election struct {
	mu     sync.Mutex
	held   *os.File // nil while there is no lock
	closed bool
}

// Elected implements store.Shared. Who cannot know, because the volume has no locks or no room for a file, is elected: it does
// less harm that two evict than that none does.
func (s *Store) Elected(context.Context) bool {
	s.election.mu.Lock()
	defer s.election.mu.Unlock()
	return !s.election.closed && s.election.stand(filepath.Join(s.root, "evictor"))
}

// Close lets another process be elected. The store can be used on, and is not elected any more.
func (s *Store) Close() {
	s.election.mu.Lock()
	defer s.election.mu.Unlock()
	s.election.closed = true
	s.election.resign()
}

func (e *election) stand(path string) bool {
	if e.holds(path) {
		return true
	}
	e.resign()
	file, err := lockFile(path, os.O_RDONLY) // what is open for writing keeps a disk from being made read-only
	if errors.Is(err, unix.EBADF) {
		file, err = lockFile(path, os.O_RDWR) // NFS locks nothing else
	}
	if err == nil {
		e.held = file
	}
	return !errors.Is(err, store.ErrLocked)
}

// holds asks for the lock again: a file server that was away may have given it to another.
func (e *election) holds(path string) bool {
	return e.held != nil && sameFile(e.held, path) && unix.Flock(int(e.held.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil
}

func (e *election) resign() {
	if e.held != nil {
		_ = e.held.Close() // nothing was written to it
	}
	e.held = nil
}
