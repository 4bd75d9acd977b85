package fsstore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Temporary returns an empty file that has no name, and is gone when it is closed. It is not of the store.
func (s *Store) Temporary() (*os.File, error) {
	file, err := os.CreateTemp(filepath.Join(s.root, "tmp"), "t-*")
	if err != nil {
		return nil, fmt.Errorf("making a temporary file: %w", typed(err))
	}
	if err := os.Remove(file.Name()); err != nil {
		return nil, errors.Join(fmt.Errorf("making a temporary file: %w", typed(err)), file.Close())
	}
	return file, nil
}
