package certsd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// pass is one look at the two folders, and the changes made from it. It holds the lock.
type pass struct {
	disk       disk
	certs, run *os.Root
	lock       *os.File
	entries    map[string]entry
	// generation that this pass writes to: no link has ever led there, not even one that dangles since a reboot.
	generation uint64
	// begun says that the generation's folder is there; changed, that the certs directory is not synced.
	begun, changed bool
}

func (d *Directory) begin() (_ *pass, err error) {
	p := &pass{disk: d.disk}
	defer func() {
		if err != nil {
			p.end()
		}
	}()
	if p.certs, err = openFolder(d.certs); err != nil {
		return nil, err
	}
	if p.run, err = openFolder(d.run); err != nil {
		return nil, err
	}
	if p.lock, err = lockFolder(p.run); err != nil {
		return nil, err
	}
	if p.entries, err = readEntries(p.certs, d.run); err != nil {
		return nil, fmt.Errorf("reading %s: %w", d.certs, err)
	}
	p.generation, err = p.nextGeneration()
	return p, err
}

func (p *pass) end() {
	if p.lock != nil {
		_ = p.lock.Close() // which releases it
	}
	for _, folder := range []*os.Root{p.run, p.certs} {
		if folder != nil {
			_ = folder.Close()
		}
	}
}

// openFolder opens a folder afresh for each pass: it may have been deleted and made again.
func openFolder(path string) (*os.Root, error) {
	if err := os.MkdirAll(path, directoryMode); err != nil {
		return nil, fmt.Errorf("making %s: %w", path, err)
	}
	return os.OpenRoot(path)
}

// lockFolder holds off a second agent on the node, such as one whose Pod was deleted by force and still runs: two
// would write into one generation.
func lockFolder(folder *os.Root) (*os.File, error) {
	file, err := folder.Open(".")
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("locking %s, which another agent may be at work in: %w", folder.Name(), err), file.Close())
	}
	return file, nil
}

func (p *pass) nextGeneration() (uint64, error) {
	var last uint64
	folders, err := p.generations()
	for _, name := range folders {
		number, _ := generationOf(name)
		last = max(last, number)
	}
	for _, found := range p.entries {
		if number, ok := generationOf(found.at); ok {
			last = max(last, number)
		}
	}
	return last + 1, err
}

// generations are the folders of the run directory that are named like one.
func (p *pass) generations() ([]string, error) {
	listed, err := fs.ReadDir(p.run.FS(), ".")
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", p.run.Name(), err)
	}
	var names []string
	for _, found := range listed {
		if _, ok := generationOf(found.Name()); ok && found.IsDir() {
			names = append(names, found.Name())
		}
	}
	return names, nil
}

// settle makes the links durable, once for a pass. Their order does not matter: what they lead to does not outlive
// the power either.
func (p *pass) settle() error {
	if !p.changed {
		return nil
	}
	if err := p.disk.Sync(p.certs); err != nil {
		return fmt.Errorf("syncing %s: %w", p.certs.Name(), err)
	}
	return nil
}

// in is a path in this pass's generation.
func (p *pass) in(names ...string) string { return inGeneration(p.generation, names...) }
