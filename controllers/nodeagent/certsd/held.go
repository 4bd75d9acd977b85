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
	found := p.entries[Names(host)[0]]
	if _, ours := generationOf(found.at); !ours {
		return nil, nil
	}
	at, root := found.at, found.shelf.root
	listed, err := fs.ReadDir(root.FS(), at)
	if err != nil {
		return nil, nil // it leads nowhere
	}
	held := Files{}
	for _, found := range listed {
		path := filepath.Join(at, found.Name())
		if info, err := root.Lstat(path); err != nil || !info.Mode().IsRegular() || info.Size() > maxHeld {
			return nil, err
		}
		if held[found.Name()], err = root.ReadFile(path); err != nil {
			return nil, fmt.Errorf("reading what %s leads to: %w", host, cause(err))
		}
	}
	return held, nil
}
