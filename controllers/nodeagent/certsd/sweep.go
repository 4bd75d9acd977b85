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
	linked := map[string]bool{}
	for _, found := range p.entries {
		linked[found.at] = true
	}
	folders, err := p.generations()
	if err != nil {
		return err
	}
	var errs []error
	for _, generation := range folders {
		errs = append(errs, p.sweepGeneration(generation, linked))
	}
	return errors.Join(errs...)
}

func (p *pass) sweepGeneration(generation string, linked map[string]bool) error {
	hosts, err := fs.ReadDir(p.run.FS(), generation)
	if err != nil {
		return err
	}
	left := len(hosts)
	for _, host := range hosts {
		at := filepath.Join(generation, host.Name())
		if linked[at] {
			continue
		}
		if err := p.removeTree(at, host.IsDir()); err != nil {
			return fmt.Errorf("removing the old files in %s: %w", p.run.Name(), err)
		}
		left--
	}
	if left > 0 {
		return nil
	}
	return p.disk.Remove(p.run, generation)
}

func (p *pass) removeTree(name string, directory bool) error {
	if directory {
		inside, err := fs.ReadDir(p.run.FS(), name)
		if err != nil {
			return err
		}
		for _, found := range inside {
			if err := p.removeTree(filepath.Join(name, found.Name()), found.IsDir()); err != nil {
				return err
			}
		}
	}
	return p.disk.Remove(p.run, name)
}
