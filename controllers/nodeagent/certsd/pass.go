package certsd

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// pass is one look at the folders, and the changes made from it. It holds the lock.
type pass struct {
	disk  disk
	certs *os.Root
	// run is where hosts' files lie, lasting those of hosts that have adopted somebody else's; nil without such hosts.
	run, lasting *shelf
	lock         *os.File
	entries      map[string]entry
	// changed says that the certs directory is not synced.
	changed bool
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
	if p.run, err = openShelf(d.disk, d.run); err != nil {
		return nil, err
	}
	if p.lock, err = lockFolder(p.run.root); err != nil {
		return nil, err
	}
	if err := p.openLasting(); err != nil {
		return nil, err
	}
	if p.entries, err = p.readEntries(); err != nil {
		return nil, fmt.Errorf("reading %s: %w", d.certs, err)
	}
	return p, p.number()
}

// number finds each shelf's next generation.
func (p *pass) number() error {
	for _, s := range p.shelves() {
		if err := s.number(p.entries); err != nil {
			return err
		}
	}
	return nil
}

func (p *pass) shelves() []*shelf {
	if p.lasting == nil {
		return []*shelf{p.run}
	}
	return []*shelf{p.run, p.lasting}
}

func (p *pass) end() {
	if p.lock != nil {
		_ = p.lock.Close() // which releases it
	}
	for _, s := range []*shelf{p.run, p.lasting} {
		if s != nil {
			_ = s.root.Close()
		}
	}
	if p.certs != nil {
		_ = p.certs.Close()
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

// settle makes the links durable, once for a pass. Their order does not matter: what they lead to does not outlive
// the power either, or is durable before.
func (p *pass) settle() error {
	if !p.changed {
		return nil
	}
	if err := p.disk.Sync(p.certs); err != nil {
		return fmt.Errorf("syncing %s: %w", p.certs.Name(), err)
	}
	return nil
}
