package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"sync"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/registryhub/registryhub/api/config/htpasswd"
)

const (
	// verifiedFor is how long a password that was right is known to be, without the work of bcrypt: a push is hundreds of
	// requests. A file that changes ends it.
	verifiedFor = 5 * time.Minute
	// maxVerified is the most users of whom that is known at once.
	maxVerified = 1024
	// verifyWithin is how long a password waits for its turn: many that are wrong take no more than half of the processors, which
	// pulls need too.
	verifyWithin = 2 * time.Second
	// maxHtpasswd is the most bytes of a file.
	maxHtpasswd = 4 << 20
)

// Htpasswd are the accounts in a file as htpasswd -B makes it: a line for each user, the name, a colon, and a hash of bcrypt.
// Empty lines and those that begin with # do not count. It is read again when it changes; one that has become unusable
// lets nobody in.
type Htpasswd struct {
	file string
	now  func() time.Time
	salt [32]byte
	// turns has room for as many as are compared at once.
	turns chan struct{}

	mu       sync.Mutex
	read     fs.FileInfo // what users were read of; nil for nothing
	users    map[string][]byte
	nobody   []byte // a hash that costs as much as the users'
	verified map[[sha256.Size]byte]time.Time
}

var _ Accounts = (*Htpasswd)(nil)

// NewHtpasswd reads a file of accounts.
func NewHtpasswd(file string) (*Htpasswd, error) {
	h := &Htpasswd{file: file, now: time.Now, turns: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))}
	_, _ = rand.Read(h.salt[:]) // never fails
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.renew(); err != nil {
		return nil, err
	}
	return h, nil
}

// Verify implements Accounts.
func (h *Htpasswd) Verify(ctx context.Context, user, password string) (bool, error) {
	hash, known, remembered, err := h.look(user, password)
	if err != nil || remembered {
		return remembered, err
	}
	matches, err := h.compare(ctx, hash, password)
	if err != nil || !matches || !known {
		return false, err
	}
	h.remember(user, password, hash)
	return true, nil
}

// compare is the work, for which it waits for its turn.
func (h *Htpasswd) compare(ctx context.Context, hash []byte, password string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, verifyWithin)
	defer cancel()
	select {
	case h.turns <- struct{}{}:
	case <-ctx.Done():
		return false, fmt.Errorf("verifying a password, while %d others are: %w", cap(h.turns), ctx.Err())
	}
	defer func() { <-h.turns }()
	return bcrypt.CompareHashAndPassword(hash, []byte(password)) == nil, nil
}

// look returns the hash to compare with, of the user or of nobody, and whether that was done lately.
func (h *Htpasswd) look(user, password string) (hash []byte, known, remembered bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.renew(); err != nil {
		return nil, false, false, err
	}
	return h.hashOf(user, password)
}

func (h *Htpasswd) hashOf(user, password string) (hash []byte, known, remembered bool, err error) {
	hash, known = h.users[user]
	if !known {
		return h.nobody, false, false, nil
	}
	until, found := h.verified[h.key(user, password, hash)]
	return hash, true, found && h.now().Before(until), nil
}

func (h *Htpasswd) remember(user, password string, hash []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.verified) >= maxVerified {
		clear(h.verified)
	}
	h.verified[h.key(user, password, hash)] = h.now().Add(verifiedFor)
}

// key has the hash in it, so that a password that was changed is not known from before.
func (h *Htpasswd) key(user, password string, hash []byte) [sha256.Size]byte {
	sum := sha256.New()
	sum.Write(h.salt[:])
	for _, part := range [][]byte{[]byte(user), []byte(password), hash} {
		fmt.Fprintf(sum, "%d:", len(part))
		sum.Write(part)
	}
	return [sha256.Size]byte(sum.Sum(nil))
}

// renew reads the file again if it is another one. Until it can be read there are no users.
func (h *Htpasswd) renew() error {
	info, err := os.Stat(h.file)
	if err == nil && h.read != nil && os.SameFile(info, h.read) && info.ModTime().Equal(h.read.ModTime()) && info.Size() == h.read.Size() {
		return nil
	}
	h.read, h.users, h.verified = nil, nil, map[[sha256.Size]byte]time.Time{}
	if err == nil {
		h.users, err = readHtpasswd(h.file, info.Size())
	}
	if err == nil {
		h.nobody, err = hashOfNobody(h.users)
	}
	if err != nil {
		return fmt.Errorf("reading the users in %s: %w", h.file, err)
	}
	h.read = info
	return nil
}

func readHtpasswd(file string, size int64) (map[string][]byte, error) {
	if size > maxHtpasswd {
		return nil, fmt.Errorf("it has more than %d bytes", maxHtpasswd)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return htpasswd.Parse(content)
}

// hashOfNobody costs as much as the users' hashes do, so that who is not there is not known by being told so sooner.
func hashOfNobody(users map[string][]byte) ([]byte, error) {
	cost := bcrypt.MinCost
	for _, hash := range users {
		if c, err := bcrypt.Cost(hash); err == nil {
			cost = max(cost, c)
		}
	}
	var password [32]byte
	_, _ = rand.Read(password[:]) // never fails
	return bcrypt.GenerateFromPassword(password[:], cost)
}
