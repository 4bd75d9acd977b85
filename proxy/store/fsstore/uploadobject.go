package fsstore

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/store"
)

// assemble makes an object of an upload that is whole, as its last record says, and removes the upload. It may be begun
// again by anybody, at any time, even while another does the same.
func (s *Store) assemble(dir string, want digest.Digest) error {
	err := s.assembleObject(dir, want)
	if errors.Is(err, store.ErrNotFound) && s.hasWhole(want) {
		err = nil // somebody was faster
	}
	if err != nil {
		return err
	}
	err = s.dropUpload(dir)
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return err
}

func (s *Store) hasWhole(d digest.Digest) bool {
	file, err := os.Open(s.blobPath(d))
	if err != nil {
		return false
	}
	defer file.Close()
	_, _, err = whole(file)
	return err == nil
}

func (s *Store) assembleObject(dir string, want digest.Digest) error {
	last, err := readLast(dir)
	if err != nil {
		return err
	}
	chunks, err := readChunks(dir, last.number)
	if err != nil {
		return err
	}
	target := s.blobPath(want)
	if err := ensureDir(filepath.Dir(target)); err != nil {
		return err
	}
	var source string
	if len(chunks) == 1 {
		source = filepath.Join(dir, chunks[0].Name)
		err = endWithTrailer(source, last.Size)
	} else {
		source, err = s.joinChunks(dir, chunks, last.Size)
	}
	if err == nil {
		err = os.Rename(source, target)
	}
	if err == nil {
		err = syncDir(filepath.Dir(target))
	}
	return typed(err)
}

// endWithTrailer writes what is the same whoever writes it, however often.
func endWithTrailer(path string, size int64) error {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteAt(trailer(size), size)
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// joinChunks copies chunks into a new file, which the kernel does by itself.
func (s *Store) joinChunks(dir string, chunks []chunk, size int64) (path string, err error) {
	file, err := os.CreateTemp(filepath.Join(s.root, "tmp"), "w-*")
	if err != nil {
		return "", err
	}
	for _, c := range chunks {
		if err = c.copyTo(file, dir); err != nil {
			break
		}
	}
	if err == nil {
		_, err = file.Write(trailer(size))
	}
	if err == nil {
		err = errors.Join(file.Chmod(fileMode), file.Sync())
	}
	err = errors.Join(err, file.Close())
	if err != nil {
		return "", errors.Join(err, os.Remove(file.Name()))
	}
	return file.Name(), nil
}
