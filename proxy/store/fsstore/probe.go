package fsstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// probeSize is a block of most file systems, so that one without room for a block does not pass.
const probeSize = 4096

// Probe implements store.Prober. It also makes up for what Open could not do on a read-only directory.
func (s *Store) Probe(context.Context) error {
	err := s.prepare()
	if err == nil {
		err = s.writeAndRemove()
	}
	if err != nil {
		return fmt.Errorf("writing to the store in %s: %w", s.root, typed(err))
	}
	return nil
}

func (s *Store) writeAndRemove() error {
	file, err := os.CreateTemp(filepath.Join(s.root, "tmp"), "probe-*")
	if err != nil {
		return err
	}
	return errors.Join(writeAndSync(file, [][]byte{make([]byte, probeSize)}), os.Remove(file.Name()))
}

// failing reports whether a file system's error is about all of it, and not about what was asked of it.
func failing(err error) bool {
	if errors.Is(err, fs.ErrPermission) {
		return true
	}
	number, ok := errors.AsType[unix.Errno](err)
	if !ok {
		return false
	}
	switch number {
	case unix.EROFS, unix.EIO, unix.ENODEV, unix.ENXIO, unix.ESTALE, unix.ENOTCONN, unix.ESHUTDOWN:
		return true
	default:
		return false
	}
}
