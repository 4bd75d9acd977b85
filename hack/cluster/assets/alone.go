package assets

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// alone runs provide while nobody else, in this process or another one, provides the folder of that name in the cache:
// tests that run at the same time ask for the same programs, and a fresh clone has none of them.
func (s *Store) alone(folder string, provide func() error) error {
	name := filepath.Join(s.Cache, folder+".lock")
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return fmt.Errorf("making the cache folder: %w", err)
	}
	lock, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return fmt.Errorf("opening the lock of a cache folder: %w", err)
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("locking %s: %w", name, err)
	}
	return provide()
}
