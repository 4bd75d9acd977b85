// Package tlsfiles keeps the files that hosts.toml files name for TLS: the CA bundle, and the nodes' client certificate
// with its key.
//
// containerd reads hosts.toml first and then, by their paths, the files that it names, and fails a pull when one of them
// is missing. So a file's name is made of its content, and once it is there its content never changes: whoever has read
// any hosts.toml of ours finds what that one means. A file that nothing names any more stays for a while, for a containerd
// that has just read the old one.
//
// The files lie in the run directory, which a reboot empties together with the links that lead to it.
package tlsfiles

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Retention is how long a file is kept after it was wanted last: far longer than containerd takes from reading hosts.toml
// to reading what it names.
const Retention = 10 * time.Minute

// touched is how old a file's time may be while it is wanted.
const touched = Retention / 5

const folder = "tls"

// Whoever reads these is root, but for the key: containerd may run as another user.
const (
	directoryMode = 0o755
	publicMode    = 0o644
	secretMode    = 0o600
)

// Store keeps the files in one run directory.
type Store struct {
	run string
	now func() time.Time
}

// New is the Store in a run directory, an absolute path as containerd sees it.
func New(runDirectory string, now func() time.Time) *Store {
	return &Store{run: filepath.Clean(runDirectory), now: now}
}

// Material is what the files hold, in PEM.
type Material struct {
	// CA is the bundle; none when it is empty.
	CA []byte
	// Certificate and Key are the nodes' client certificate; none when they are empty.
	Certificate, Key []byte
}

// Paths are where the files are, "" for what there is none of.
type Paths struct {
	CA, Certificate, Key string
}

// Write makes the files hold the material, and says where. It changes nothing that is as it should be.
func (s *Store) Write(m Material) (Paths, error) {
	if len(m.CA) == 0 && len(m.Certificate) == 0 {
		return Paths{}, nil
	}
	if err := os.MkdirAll(filepath.Join(s.run, folder), directoryMode); err != nil {
		return Paths{}, fmt.Errorf("making the directory of TLS files in %s: %w", s.run, err)
	}
	root, err := os.OpenRoot(filepath.Join(s.run, folder))
	if err != nil {
		return Paths{}, fmt.Errorf("opening the directory of TLS files in %s: %w", s.run, err)
	}
	defer func() { _ = root.Close() }()
	var paths Paths
	var errs []error
	pair := digest(m.Certificate, m.Key)
	for _, file := range []struct {
		path *string
		name string
		data []byte
		mode fs.FileMode
	}{
		{&paths.CA, digest(m.CA) + "-ca.pem", m.CA, publicMode},
		{&paths.Certificate, pair + "-client.pem", m.Certificate, publicMode},
		{&paths.Key, pair + "-client-key.pem", m.Key, secretMode},
	} {
		if len(file.data) == 0 {
			continue
		}
		*file.path = filepath.Join(root.Name(), file.name)
		errs = append(errs, s.write(root, file.name, file.data, file.mode))
	}
	if err := errors.Join(errs...); err != nil {
		return Paths{}, fmt.Errorf("writing TLS files to %s: %w", root.Name(), err)
	}
	return paths, nil
}

// digest names contents. It tells nothing of a key.
func digest(contents ...[]byte) string {
	hash := sha256.New()
	for _, content := range contents {
		fmt.Fprintf(hash, "%d:%s", len(content), content)
	}
	return hex.EncodeToString(hash.Sum(nil)[:12])
}

// write makes a file whole or not at all. A file that somebody altered is put right.
func (s *Store) write(root *os.Root, name string, data []byte, mode fs.FileMode) error {
	if s.holds(root, name, data, mode) {
		return nil
	}
	temporary := name + ".new"
	if err := errors.Join(ignoreMissing(root.Remove(temporary)), root.WriteFile(temporary, data, mode)); err != nil {
		return err
	}
	if err := errors.Join(root.Chmod(temporary, mode), root.Chtimes(temporary, s.now(), s.now())); err != nil {
		return err
	}
	return root.Rename(temporary, name)
}

// holds says whether the file is as it should be, and remembers in its time that it is wanted.
func (s *Store) holds(root *os.Root, name string, data []byte, mode fs.FileMode) bool {
	info, err := root.Lstat(name)
	if err != nil || info.Mode() != mode || info.Size() != int64(len(data)) {
		return false
	}
	got, err := root.ReadFile(name)
	if err != nil || !bytes.Equal(got, data) {
		return false
	}
	if s.now().Sub(info.ModTime()) < touched {
		return true
	}
	return root.Chtimes(name, s.now(), s.now()) == nil
}

// Sweep removes what has not been wanted for the Retention. It must be called only when every hosts.toml names what was
// written last.
func (s *Store) Sweep() error {
	return s.remove(func(info fs.FileInfo) bool { return s.now().Sub(info.ModTime()) >= Retention })
}

// Remove removes all of it. It must be called only when no hosts.toml names any of it.
func (s *Store) Remove() error {
	if err := s.remove(func(fs.FileInfo) bool { return true }); err != nil {
		return err
	}
	return ignoreMissing(os.Remove(filepath.Join(s.run, folder)))
}

func (s *Store) remove(old func(fs.FileInfo) bool) error {
	root, err := os.OpenRoot(filepath.Join(s.run, folder))
	if err != nil {
		return ignoreMissing(err)
	}
	defer func() { _ = root.Close() }()
	listed, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return fmt.Errorf("reading %s: %w", root.Name(), err)
	}
	var errs []error
	for _, found := range listed {
		if info, err := found.Info(); err == nil && old(info) {
			errs = append(errs, ignoreMissing(root.Remove(found.Name())))
		}
	}
	return errors.Join(errs...)
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
