package certsd

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// place leads the host to files with these contents, unless it is led there already.
func (p *pass) place(host string, files Files) (bool, error) {
	name := Names(host)[0]
	if p.holds(name, files) {
		return false, nil
	}
	if err := p.write(name, files); err != nil {
		return false, fmt.Errorf("writing the files of %s to %s: %w", host, p.run.Name(), cause(err))
	}
	if err := p.swap(name); err != nil {
		return false, fmt.Errorf("linking %s in %s: %w", host, p.certs.Name(), cause(err))
	}
	return true, nil
}

// cause is what the system said, without the path: that holds the generation, and an error that is reported must not
// read differently at each pass.
func cause(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &link):
		return link.Err
	}
	return err
}

// holds says whether the link of this name leads to exactly these files. What cannot be read is not held.
func (p *pass) holds(name string, files Files) bool {
	at := p.entries[name].at
	if number, ok := generationOf(at); !ok || at != inGeneration(number, name) {
		return false
	}
	listed, err := fs.ReadDir(p.run.FS(), at)
	if err != nil || len(listed) != len(files) {
		return false
	}
	for _, found := range listed {
		want, wanted := files[found.Name()]
		if !wanted || !p.contains(filepath.Join(at, found.Name()), want) {
			return false
		}
	}
	return true
}

// contains compares a file's size first, so that whatever was put there is not read into memory.
func (p *pass) contains(path string, want []byte) bool {
	info, err := p.run.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() != int64(len(want)) {
		return false
	}
	got, err := p.run.ReadFile(path)
	return err == nil && bytes.Equal(got, want)
}

// write makes the files in this pass's generation, which nothing leads to yet. They need no fsync: the run directory
// does not outlive the power.
func (p *pass) write(name string, files Files) error {
	if !p.begun {
		if err := p.disk.Mkdir(p.run, p.in()); err != nil {
			return err
		}
		p.begun = true
	}
	if err := p.disk.Mkdir(p.run, p.in(name)); err != nil {
		return err
	}
	for _, file := range slices.Sorted(maps.Keys(files)) {
		if err := p.disk.WriteFile(p.run, p.in(name, file), files[file]); err != nil {
			return err
		}
	}
	return nil
}

// swap renames a new link over the old one. A directory that somebody made meanwhile is not replaced: rename(2)
// refuses.
func (p *pass) swap(name string) error {
	target := filepath.Join(p.run.Name(), p.in(name))
	if err := p.disk.Symlink(p.certs, target, temporaryName); err != nil {
		return err
	}
	if err := p.disk.Rename(p.certs, temporaryName, name); err != nil {
		// It must not stand in the way of the next host; if it cannot be removed, the next pass tries.
		_ = p.disk.Remove(p.certs, temporaryName)
		return err
	}
	p.entries[name] = entry{at: p.in(name), what: "a link to " + target}
	p.changed = true
	return nil
}
