package certsd

import (
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
)

// entry is what the certs directory holds under one name.
type entry struct {
	// shelf that a link of ours leads to, and where on it; nil for what is not ours.
	shelf *shelf
	at    string
	// directory that is not ours.
	directory bool
	// what a person would call it.
	what string
}

func (e entry) ours() bool { return e.shelf != nil }

// readEntries reads the certs directory. Ours is a link whose target, as it is written, lies on a shelf of ours, whether
// anything is there (after a reboot nothing is) or not.
func (p *pass) readEntries() (map[string]entry, error) {
	listed, err := fs.ReadDir(p.certs.FS(), ".")
	if err != nil {
		return nil, err
	}
	entries := map[string]entry{}
	for _, found := range listed {
		switch {
		case found.Name() == theirsName || found.Name() == lastingName:
		case found.Type()&fs.ModeSymlink != 0:
			target, err := p.certs.Readlink(found.Name())
			if err != nil {
				return nil, err
			}
			entries[found.Name()] = p.linkTo(target)
		case found.IsDir():
			entries[found.Name()] = entry{directory: true, what: "a directory"}
		default:
			entries[found.Name()] = entry{what: "a file"}
		}
	}
	return entries, nil
}

func (p *pass) linkTo(target string) entry {
	for _, s := range p.shelves() {
		at, _ := strings.CutPrefix(filepath.Clean(target), s.root.Name()+string(filepath.Separator))
		if filepath.IsAbs(target) && !filepath.IsAbs(at) {
			return entry{shelf: s, at: at, what: "a link to " + target}
		}
	}
	return entry{what: "a link to " + target}
}

// maxGeneration bounds what is believed to be a generation, so that the next one is always a number too.
const maxGeneration = 1_000_000_000_000_000

// generationOf is the number of the generation that a path in the run directory begins with.
func generationOf(at string) (uint64, bool) {
	first, _, _ := strings.Cut(at, string(filepath.Separator))
	number, err := strconv.ParseUint(first, 10, 64)
	return number, err == nil && number < maxGeneration && strconv.FormatUint(number, 10) == first
}

func inGeneration(number uint64, names ...string) string {
	return filepath.Join(append([]string{strconv.FormatUint(number, 10)}, names...)...)
}
