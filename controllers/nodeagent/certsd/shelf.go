package certsd

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// shelf is a folder that the files of hosts lie in, as <generation>/<host>/<file>.
type shelf struct {
	disk disk
	root *os.Root
	// generation that this pass writes to: no link has ever led there, not even one that dangles since a reboot.
	generation uint64
	// begun says that the generation's folder is there.
	begun bool
	// lasting: what lies here outlives the power.
	lasting bool
}

func openShelf(disk disk, path string) (*shelf, error) {
	root, err := openFolder(path)
	if err != nil {
		return nil, err
	}
	return &shelf{disk: disk, root: root}, nil
}

// number finds the next generation.
func (s *shelf) number(entries map[string]entry) error {
	var last uint64
	folders, err := s.generations()
	for _, name := range folders {
		number, _ := generationOf(name)
		last = max(last, number)
	}
	for _, found := range entries {
		if number, ok := generationOf(found.at); ok && found.shelf == s {
			last = max(last, number)
		}
	}
	s.generation = last + 1
	return err
}

// generations are the folders that are named like one.
func (s *shelf) generations() ([]string, error) {
	listed, err := fs.ReadDir(s.root.FS(), ".")
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", s.root.Name(), err)
	}
	var names []string
	for _, found := range listed {
		if _, ok := generationOf(found.Name()); ok && found.IsDir() {
			names = append(names, found.Name())
		}
	}
	return names, nil
}

// in is a path in this pass's generation.
func (s *shelf) in(names ...string) string { return inGeneration(s.generation, names...) }

// holds says whether there is exactly what is wanted at a place. What cannot be read is not held.
func (s *shelf) holds(at string, wanted placing) bool {
	if wanted.directory != "" {
		target, err := s.root.Readlink(at)
		return err == nil && target == wanted.directory
	}
	return s.holdsFiles(at, wanted.files)
}

func (s *shelf) holdsFiles(at string, files Files) bool {
	listed, err := fs.ReadDir(s.root.FS(), at)
	if err != nil || len(listed) != len(files) {
		return false
	}
	for _, found := range listed {
		want, wanted := files[found.Name()]
		if !wanted || !s.contains(filepath.Join(at, found.Name()), want) {
			return false
		}
	}
	return true
}

// contains compares a file's size first, so that whatever was put there is not read into memory.
func (s *shelf) contains(path string, want []byte) bool {
	info, err := s.root.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() != int64(len(want)) {
		return false
	}
	got, err := s.root.ReadFile(path)
	return err == nil && bytes.Equal(got, want)
}

// write makes what a host is to have in this pass's generation, which nothing leads to yet. Files in the run directory need
// no fsync: it does not outlive the power.
func (s *shelf) write(name string, wanted placing) error {
	if !s.begun {
		if err := s.disk.Mkdir(s.root, s.in()); err != nil {
			return err
		}
		s.begun = true
	}
	if wanted.directory != "" {
		return s.disk.Symlink(s.root, wanted.directory, s.in(name))
	}
	return s.writeFiles(name, wanted.files, wanted.secret)
}

func (s *shelf) writeFiles(name string, files Files, secret bool) error {
	if err := s.disk.Mkdir(s.root, s.in(name)); err != nil {
		return err
	}
	for _, file := range slices.Sorted(maps.Keys(files)) {
		if err := s.writeFile(s.in(name, file), files[file], secret); err != nil {
			return err
		}
	}
	if !s.lasting {
		return nil
	}
	return s.sync(s.in(name), s.in(), ".")
}

func (s *shelf) writeFile(at string, data []byte, secret bool) error {
	if secret {
		return s.disk.WriteSecret(s.root, at, data)
	}
	return s.disk.WriteFile(s.root, at, data)
}

func (s *shelf) sync(folders ...string) error {
	for _, folder := range folders {
		if err := s.disk.SyncFolder(s.root, folder); err != nil {
			return err
		}
	}
	return nil
}
