package noderemedy

import (
	"errors"
	"io/fs"
	"os"
)

const folderMode = 0o755

// disk is every operation that changes something, each one step that the machine may stop after. Names are absolute.
type disk interface {
	Mkdir(name string) error
	// WriteFile writes a file anew, and makes its content durable.
	WriteFile(name string, content []byte, mode fs.FileMode) error
	Rename(from, to string) error
	Remove(name string) error
	// Sync makes a folder's own entries durable.
	Sync(folder string) error
}

type realDisk struct{}

func (realDisk) Mkdir(name string) error { return os.Mkdir(name, folderMode) }

func (realDisk) WriteFile(name string, content []byte, mode fs.FileMode) error {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	return errors.Join(err, file.Chmod(mode), file.Sync(), file.Close())
}

func (realDisk) Rename(from, to string) error { return os.Rename(from, to) }

func (realDisk) Remove(name string) error { return os.Remove(name) }

func (realDisk) Sync(folder string) error {
	opened, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(opened.Sync(), opened.Close())
}
