package certsd

import (
	"fmt"
	"io/fs"
	"path/filepath"
)

// maxHeld is the size of a file above which it is not one that we wrote.
const maxHeld = 1 << 20

// Held is what the host's link of ours leads to now; nil when there is none, or it leads nowhere, as after a reboot.
func (d *Directory) Held(host string) (Files, error) {
	p, err := d.begin()
	if err != nil {
		return nil, err
	}
	defer p.end()
	at := p.entries[Names(host)[0]].at
	if _, ours := generationOf(at); !ours {
		return nil, nil
	}
	listed, err := fs.ReadDir(p.run.FS(), at)
	if err != nil {
		return nil, nil // it leads nowhere
	}
	held := Files{}
	for _, found := range listed {
		path := filepath.Join(at, found.Name())
		if info, err := p.run.Lstat(path); err != nil || !info.Mode().IsRegular() || info.Size() > maxHeld {
			return nil, err
		}
		if held[found.Name()], err = p.run.ReadFile(path); err != nil {
			return nil, fmt.Errorf("reading what %s leads to: %w", host, cause(err))
		}
	}
	return held, nil
}
