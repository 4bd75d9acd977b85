// Package secretfile reads files of credentials and certificates that a configuration names, and tells versions of them
// apart. What it says of a file that cannot be used never holds the file's content.
package secretfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// maxFile is the most bytes of such a file: what a Secret can hold.
const maxFile = 1 << 20

// Error says that a file that the configuration names, of credentials or of certificates, cannot be used. It never holds
// the file's content.
type Error struct {
	// File is the path.
	File string
	// Problem says what is wrong and what to do.
	Problem string
}

// Error names the file and the problem.
func (e *Error) Error() string { return e.File + ": " + e.Problem }

// Read reads a file of at most 1 MiB. Errors are *Error.
func Read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	defer func() { _ = f.Close() }() // Nothing was written.
	content, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, unreadable(path, err)
	}
	if len(content) > maxFile {
		return nil, &Error{File: path, Problem: fmt.Sprintf("is larger than %d bytes", maxFile)}
	}
	return content, nil
}

func unreadable(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return &Error{File: path, Problem: "is not there: make it, or take it out of the configuration"}
	}
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		err = p.Err
	}
	return &Error{File: path, Problem: fmt.Sprintf("cannot be read: %v", err)}
}

// Exists is also true of a file that cannot be looked at: reading it then says why.
func Exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
