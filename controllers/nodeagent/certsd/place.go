package certsd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// placing is what a host is to have, and where it is to lie.
type placing struct {
	files Files
	// directory that the host has elsewhere, instead of files.
	directory string
	on        *shelf
	// secret: the files may hold what is somebody's secret.
	secret bool
}

// place leads the host to files with these contents, unless it is led there already.
func (p *pass) place(host string, wanted placing) (bool, error) {
	name := Names(host)[0]
	if p.holds(name, wanted) {
		return false, nil
	}
	if err := wanted.on.write(name, wanted); err != nil {
		return false, fmt.Errorf("writing the files of %s to %s: %w", host, wanted.on.root.Name(), cause(err))
	}
	if err := p.lead(name, wanted.on); err != nil {
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

// holds says whether the link of this name leads to exactly what is wanted.
func (p *pass) holds(name string, wanted placing) bool {
	found := p.entries[name]
	number, ok := generationOf(found.at)
	return ok && found.shelf == wanted.on && found.at == inGeneration(number, name) && wanted.on.holds(found.at, wanted)
}

// lead makes the name lead to what this pass wrote: to a link over a link, or in place of a directory that is adopted.
func (p *pass) lead(name string, on *shelf) error {
	target := filepath.Join(on.root.Name(), on.in(name))
	swap := p.swap
	if on.lasting && p.entries[name].directory {
		swap = p.exchange
	}
	if err := swap(name, target); err != nil {
		return err
	}
	p.entries[name] = entry{shelf: on, at: on.in(name), what: "a link to " + target}
	p.changed = true
	return nil
}

// swap renames a new link over the old one. A directory that somebody made meanwhile is not replaced: rename(2)
// refuses.
func (p *pass) swap(name, target string) error {
	if err := p.disk.Symlink(p.certs, target, temporaryName); err != nil {
		return err
	}
	err := p.disk.Rename(p.certs, temporaryName, name)
	if err != nil {
		// It must not stand in the way of the next host; if it cannot be removed, the next pass tries.
		_ = p.disk.Remove(p.certs, temporaryName)
	}
	return err
}
