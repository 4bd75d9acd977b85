package certsd

import (
	"errors"
	"os"
)

// Everybody may read: no file holds a secret, and containerd may run as another user than root.
const (
	directoryMode = 0o755
	fileMode      = 0o644
)

// disk is every operation that changes something, each one step that the machine may stop after. An os.Root lets
// none of them leave its folder.
type disk interface {
	Mkdir(in *os.Root, name string) error
	WriteFile(in *os.Root, name string, data []byte) error
	Symlink(in *os.Root, target, name string) error
	Rename(in *os.Root, from, to string) error
	Remove(in *os.Root, name string) error
	// Sync makes the folder's own entries durable.
	Sync(in *os.Root) error
}

type realDisk struct{}

func (realDisk) Mkdir(in *os.Root, name string) error { return in.Mkdir(name, directoryMode) }

func (realDisk) WriteFile(in *os.Root, name string, data []byte) error {
	return in.WriteFile(name, data, fileMode)
}

func (realDisk) Symlink(in *os.Root, target, name string) error { return in.Symlink(target, name) }

func (realDisk) Rename(in *os.Root, from, to string) error { return in.Rename(from, to) }

func (realDisk) Remove(in *os.Root, name string) error { return in.Remove(name) }

func (realDisk) Sync(in *os.Root) error {
	folder, err := in.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
