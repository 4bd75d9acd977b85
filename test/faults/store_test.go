package faults

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/go-digest"
)

// audit holds what lies in a proxy's store: each object's bytes are those of its name, none is in quarantine, and
// nothing is left in tmp.
func audit(t *testing.T, directory string) {
	t.Helper()
	walk(t, filepath.Join(directory, "blobs"), func(path string) {
		if err := auditObject(path); err != nil {
			t.Errorf("the store is poisoned: %v", err)
		}
	})
	for _, folder := range []string{"quarantine", "tmp"} {
		walk(t, filepath.Join(directory, folder), func(path string) { t.Errorf("left over: %s", path) })
	}
}

// count returns how many files lie in a folder of a store.
func count(t *testing.T, directory, folder string) int {
	t.Helper()
	n := 0
	walk(t, filepath.Join(directory, folder), func(string) { n++ })
	return n
}

func walk(t *testing.T, folder string, visit func(path string)) {
	t.Helper()
	must(t, filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // renamed since its folder was read
		}
		if err == nil && !entry.IsDir() {
			visit(path)
		}
		return err
	}))
}

// auditObject knows the layout of proxy/store/fsstore: the content, then 16 bytes that end in its size.
func auditObject(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	const trailer = 16
	size := len(data) - trailer
	if size < 0 || binary.BigEndian.Uint64(data[len(data)-8:]) != uint64(size) {
		return fmt.Errorf("%s has no trailer with its size", path)
	}
	algorithm := digest.Algorithm(filepath.Base(filepath.Dir(filepath.Dir(path))))
	if got := algorithm.FromBytes(data[:size]); got.Encoded() != filepath.Base(path) {
		return fmt.Errorf("%s holds %s", path, got)
	}
	return nil
}
