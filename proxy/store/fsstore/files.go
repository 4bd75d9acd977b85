package fsstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/registryhub/registryhub/proxy/store"
)

// writeFile puts parts, one after the other, into a new file and syncs it, then renames it to path. The caller syncs
// the directory of path.
func (s *Store) writeFile(path string, parts ...[]byte) error {
	file, err := os.CreateTemp(filepath.Join(s.root, "tmp"), "w-*")
	if err != nil {
		return typed(err)
	}
	err = writeAndSync(file, parts)
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return typed(errors.Join(err, os.Remove(file.Name())))
	}
	return nil
}

func writeAndSync(file *os.File, parts [][]byte) error {
	var errs []error
	for _, part := range parts {
		if _, err := file.Write(part); err != nil {
			errs = append(errs, err)
			break
		}
	}
	if len(errs) == 0 {
		errs = append(errs, file.Chmod(fileMode), file.Sync())
	}
	return errors.Join(append(errs, file.Close())...)
}

// ensureDir makes a directory and what is missing above it, each durably.
func ensureDir(dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := ensureDir(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return typed(err)
	}
	return syncDir(parent)
}

// syncDir makes renames in a directory durable. A directory that this user may write but not read (a volume's
// parent, say) cannot be synced and is left to the kernel, and so is one on a file system that cannot (EINVAL).
func syncDir(dir string) error {
	file, err := os.Open(dir)
	if errors.Is(err, fs.ErrPermission) {
		return nil
	}
	if err != nil {
		return err
	}
	err = file.Sync()
	if errors.Is(err, unix.EINVAL) {
		err = nil
	}
	return typed(errors.Join(err, file.Close()))
}

// typed gives an error the store's own meaning where it has one.
func typed(err error) error {
	switch {
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return fmt.Errorf("%w: %w", store.ErrNoSpace, err)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %w", store.ErrNotFound, err)
	case failing(err):
		return fmt.Errorf("%w: %w", store.ErrFailing, err)
	default:
		return err
	}
}
