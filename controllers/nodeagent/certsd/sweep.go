package certsd

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// sweep removes what no link leads to. A pass sweeps before it swaps: a containerd that has just followed a link finds
// its files until the next pass.
func (p *pass) sweep() error {
	var errs []error
	for _, s := range p.shelves() {
		errs = append(errs, s.sweep(p.entries))
	}
	return errors.Join(errs...)
}

func (s *shelf) sweep(entries map[string]entry) error {
	linked := map[string]bool{}
	for _, found := range entries {
		if found.shelf == s {
			linked[found.at] = true
		}
	}
	folders, err := s.generations()
	if err != nil {
		return err
	}
	var errs []error
	for _, generation := range folders {
		errs = append(errs, s.sweepGeneration(generation, linked))
	}
	return errors.Join(errs...)
}

func (s *shelf) sweepGeneration(generation string, linked map[string]bool) error {
	hosts, err := fs.ReadDir(s.root.FS(), generation)
	if err != nil {
		return err
	}
	left := len(hosts)
	for _, host := range hosts {
		at := filepath.Join(generation, host.Name())
		if linked[at] {
			continue
		}
		if err := s.removeTree(at, host.IsDir()); err != nil {
			return fmt.Errorf("removing the old files in %s: %w", s.root.Name(), err)
		}
		left--
	}
	if left > 0 {
		return nil
	}
	return s.disk.Remove(s.root, generation)
}

func (s *shelf) removeTree(name string, directory bool) error {
	if directory {
		inside, err := fs.ReadDir(s.root.FS(), name)
		if err != nil {
			return err
		}
		for _, found := range inside {
			if err := s.removeTree(filepath.Join(name, found.Name()), found.IsDir()); err != nil {
				return err
			}
		}
	}
	return s.disk.Remove(s.root, name)
}
