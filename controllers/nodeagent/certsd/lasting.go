package certsd

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
)

// openLasting opens the shelf of lasting and adopting hosts where there is one, or a link that leads there: who removes the
// shelf by hand leaves links that are still ours.
func (p *pass) openLasting() error {
	_, err := p.certs.Lstat(lastingName)
	if err == nil {
		return p.makeLasting()
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	led, err := p.leadsToLasting()
	if led && err == nil {
		err = p.makeLasting()
	}
	return err
}

func (p *pass) leadsToLasting() (bool, error) {
	listed, err := fs.ReadDir(p.certs.FS(), ".")
	for _, found := range listed {
		if found.Type()&fs.ModeSymlink == 0 {
			continue
		}
		target, err := p.certs.Readlink(found.Name())
		if err != nil || strings.HasPrefix(target, p.lastingPath()+string(filepath.Separator)) {
			return err == nil, err
		}
	}
	return false, err
}

func (p *pass) lastingPath() string { return filepath.Join(p.certs.Name(), lastingName) }

func (p *pass) makeLasting() (err error) {
	if p.lasting != nil {
		return nil
	}
	if p.lasting, err = openShelf(p.disk, p.lastingPath()); err != nil {
		return err
	}
	p.lasting.lasting = true
	return p.lasting.number(p.entries)
}

// makeLast puts the files of lasting hosts where a reboot leaves them. They hold copies of TLS files, one a key. Where there is
// no such place they are in force until a reboot.
func (p *pass) makeLast(wanted map[string]placing, lasting []string, failed map[string]error) {
	for _, host := range lasting {
		place, ours := wanted[host]
		if !ours {
			continue
		}
		if err := p.makeLasting(); err != nil {
			failed[host] = fmt.Errorf("making a place that outlives a reboot for %s: %w", host, err)
			continue
		}
		place.on, place.secret = p.lasting, true
		wanted[host] = place
	}
}
