package upstream

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// maxFile is the most bytes of a file of credentials or certificates: what a Secret can hold.
const maxFile = 1 << 20

// readFile reads a file that the configuration names. The error names the file, and holds nothing of it.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fileError(path, err)
	}
	defer func() { _ = f.Close() }() // Nothing was written.
	content, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fileError(path, err)
	}
	if len(content) > maxFile {
		return nil, &FileError{File: path, Problem: fmt.Sprintf("is larger than %d bytes", maxFile)}
	}
	return content, nil
}

func fileError(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return &FileError{File: path, Problem: "is not there: make it, or take it out of the configuration"}
	}
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		err = p.Err
	}
	return &FileError{File: path, Problem: fmt.Sprintf("cannot be read: %v", err)}
}

// exists is also true of a file that cannot be looked at: reading it then says why.
func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
