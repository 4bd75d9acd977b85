package fsstore

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/registryhub/registryhub/proxy/store"
)

const (
	// hungAfter is how long one that has the lock may say nothing before others stand in for it: longer than an eviction takes.
	hungAfter = 10 * time.Minute
	// saidEvery is how often it says that it is there.
	saidEvery = time.Minute
)

// election is whether this process is elected. Who is has a file locked as long as the store is open: the kernel unlocks it for a
// process that dies, and a file server for a machine that does. One that hangs keeps its lock, and its file grows old.
type election struct {
	mu     sync.Mutex
	held   *os.File // nil while there is no lock
	closed bool
	// said is when the elected last said that it is there, by the file: this process, or else the one that has the lock. seen is
	// when that was learnt, by a clock of one's own: those of several machines differ.
	said, seen time.Time
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
		e.say(path)
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
	return !errors.Is(err, store.ErrLocked) || e.isSilent(path)
}

// say has others see that this process is there. Where that cannot be written several are elected after a while.
func (e *election) say(path string) {
	if now := time.Now(); now.Sub(e.seen) >= saidEvery && os.Chtimes(path, now, now) == nil {
		e.said, e.seen = now, now
	}
}

// isSilent reports whether the one that has the lock has said nothing for long: it hangs, and keeps nobody from making room.
func (e *election) isSilent(path string) bool {
	info, err := os.Stat(path)
	if err != nil {
		return true
	}
	if said := info.ModTime(); !said.Equal(e.said) {
		e.said, e.seen = said, time.Now()
	}
	return time.Since(e.seen) >= hungAfter
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
