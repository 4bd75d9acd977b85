package certsd

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
)

// Adopt makes of the files that somebody else wrote for a host, whose directory they have to themselves, those that the
// host is to have instead.
type Adopt func(theirs Files) (Files, error)

// Limits of a directory that is adopted: it is read whole.
const (
	maxAdoptedFiles = 64
	maxAdoptedBytes = 1 << 20
)

func original(name string) string { return filepath.Join(theirsName, name) }

// originals are the directories that are kept for hosts which have adopted them. What else is there is what a stopped agent
// left: links of ours, that were to be exchanged or have been.
func (p *pass) originals() (kept []string, err error) {
	listed, err := fs.ReadDir(p.certs.FS(), theirsName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var errs []error
	for _, found := range listed {
		if found.IsDir() {
			kept = append(kept, found.Name())
			continue
		}
		errs = append(errs, p.disk.Remove(p.certs, original(found.Name())))
	}
	return kept, errors.Join(append(errs, err)...)
}

// adopt finds what a host is to have that adopts; nil where there is nothing to adopt. Where theirs is under another spelling
// it stays where it is, and comes into force again when ours is gone, as after a reboot.
func (p *pass) adopt(host string, how Adopt, kept []string) (*placing, error) {
	names := Names(host)
	switch {
	case slices.Contains(kept, names[0]) && p.entries[names[0]].directory:
		return nil, p.notAdopted(host, names[0], fmt.Errorf("it has been written anew, while %s holds what was adopted before: remove one of the two",
			filepath.Join(p.certs.Name(), original(names[0]))))
	case slices.Contains(kept, names[0]):
		return p.adoptFrom(host, original(names[0]), how, true)
	case p.entries[names[0]].directory:
		return p.adoptFrom(host, names[0], how, true)
	case len(names) > 1 && p.entries[names[1]].directory:
		return p.adoptFrom(host, names[1], how, false)
	}
	return nil, nil
}

func (p *pass) adoptFrom(host, directory string, how Adopt, lasting bool) (*placing, error) {
	theirs, err := p.readTheirs(directory)
	if err != nil {
		return nil, p.notAdopted(host, directory, cause(err))
	}
	files, err := how(theirs)
	if err != nil {
		return nil, p.notAdopted(host, directory, err)
	}
	if !lasting {
		return &placing{files: files, on: p.run, secret: true}, nil
	}
	err = p.makeLasting()
	return &placing{files: files, on: p.lasting, secret: true}, err
}

func (p *pass) notAdopted(host, directory string, err error) error {
	return &AdoptError{Host: host, Path: filepath.Join(p.certs.Name(), directory), Err: err}
}

// readTheirs reads a directory that holds files and nothing else. The bounds are those of what an agent can hold.
func (p *pass) readTheirs(from string) (Files, error) {
	listed, err := fs.ReadDir(p.certs.FS(), from)
	if err != nil {
		return nil, err
	}
	if len(listed) > maxAdoptedFiles {
		return nil, fmt.Errorf("it holds %d files: at most %d are adopted", len(listed), maxAdoptedFiles)
	}
	theirs := Files{}
	for _, found := range listed {
		info, err := found.Info()
		switch {
		case err != nil:
			return nil, err
		case !info.Mode().IsRegular():
			return nil, fmt.Errorf("%s in it is not a file: put a file in its place", found.Name())
		case info.Size() > maxAdoptedBytes:
			return nil, fmt.Errorf("%s in it is larger than %d bytes", found.Name(), maxAdoptedBytes)
		}
		if theirs[found.Name()], err = p.certs.ReadFile(filepath.Join(from, found.Name())); err != nil {
			return nil, err
		}
	}
	return theirs, nil
}

// exchange puts a link in the place of a directory, which is kept. It is one step: containerd finds theirs or ours.
func (p *pass) exchange(name, target string) error {
	if err := p.disk.Mkdir(p.certs, theirsName); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := p.disk.Symlink(p.certs, target, original(name)); err != nil {
		return err
	}
	if err := p.disk.Exchange(p.certs, original(name), name); err != nil {
		_ = p.disk.Remove(p.certs, original(name)) // or the next pass does
		return err
	}
	return p.disk.SyncFolder(p.certs, theirsName)
}

// giveBack puts originals in their places again, but for the hosts that go on adopting them, and those in whose place
// somebody put something else meanwhile.
func (p *pass) giveBack(kept []string, wanted map[string]placing) ([]string, error) {
	adopting := directories(wanted)
	var given []string
	var errs []error
	for _, name := range kept {
		if present, there := p.entries[name]; adopting[name] || there && !present.ours() {
			continue
		}
		if err := p.putBack(name); err != nil {
			errs = append(errs, fmt.Errorf("putting back what was adopted of %s in %s: %w", name, p.certs.Name(), cause(err)))
			continue
		}
		p.entries[name] = entry{directory: true, what: "a directory"}
		p.changed = true
		given = append(given, name)
	}
	return given, errors.Join(errs...)
}

func (p *pass) putBack(name string) error {
	if _, there := p.entries[name]; !there {
		return p.disk.Rename(p.certs, original(name), name)
	}
	if err := p.disk.Exchange(p.certs, original(name), name); err != nil {
		return err
	}
	return p.disk.Remove(p.certs, original(name))
}

// tidy removes the folders of adopting and lasting hosts when nothing is in them.
func (p *pass) tidy(kept []string) error {
	used := slices.ContainsFunc(slices.Collect(maps.Values(p.entries)), func(e entry) bool { return e.ours() && e.shelf == p.lasting })
	if p.lasting == nil || used || len(kept) > 0 {
		return nil
	}
	for _, name := range []string{theirsName, lastingName} { // without the second nobody would look for the first
		listed, err := fs.ReadDir(p.certs.FS(), name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err == nil && len(listed) > 0:
			return nil
		case err == nil:
			err = p.disk.Remove(p.certs, name)
		}
		if err != nil {
			return fmt.Errorf("removing %s from %s: %w", name, p.certs.Name(), cause(err))
		}
	}
	return nil
}
