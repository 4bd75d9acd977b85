package certsd

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Everybody may read what holds no secret: containerd may run as another user than root.
const (
	directoryMode = 0o755
	fileMode      = 0o644
	secretMode    = 0o600
)

// disk is every operation that changes something, each one step that the machine may stop after. An os.Root lets
// none of them leave its folder.
type disk interface {
	Mkdir(in *os.Root, name string) error
	WriteFile(in *os.Root, name string, data []byte) error
	// WriteSecret writes a file for its owner alone, and makes it durable.
	WriteSecret(in *os.Root, name string, data []byte) error
	Symlink(in *os.Root, target, name string) error
	// Exchange swaps two entries in one step, whatever they are.
	Exchange(in *os.Root, one, other string) error
	Rename(in *os.Root, from, to string) error
	Remove(in *os.Root, name string) error
	// Sync makes the folder's own entries durable, SyncFolder those of a folder in it.
	Sync(in *os.Root) error
	SyncFolder(in *os.Root, name string) error
}

type realDisk struct{}

func (realDisk) Mkdir(in *os.Root, name string) error { return in.Mkdir(name, directoryMode) }

func (realDisk) WriteFile(in *os.Root, name string, data []byte) error {
	return in.WriteFile(name, data, fileMode)
}

func (realDisk) Symlink(in *os.Root, target, name string) error { return in.Symlink(target, name) }

func (realDisk) Rename(in *os.Root, from, to string) error { return in.Rename(from, to) }

func (realDisk) Remove(in *os.Root, name string) error { return in.Remove(name) }

func (realDisk) WriteSecret(in *os.Root, name string, data []byte) error {
	file, err := in.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, secretMode)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	return errors.Join(err, file.Sync(), file.Close())
}

// Exchange does not follow links in its last element, and is given no path with others.
func (realDisk) Exchange(in *os.Root, one, other string) error {
	folder, err := in.Open(".")
	if err != nil {
		return err
	}
	at := int(folder.Fd())
	if err = unix.Renameat2(at, one, at, other, unix.RENAME_EXCHANGE); err != nil {
		err = &os.LinkError{Op: "exchange", Old: one, New: other, Err: err}
	}
	return errors.Join(err, folder.Close())
}

func (d realDisk) Sync(in *os.Root) error { return d.SyncFolder(in, ".") }

func (realDisk) SyncFolder(in *os.Root, name string) error {
	folder, err := in.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
