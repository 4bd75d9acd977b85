package certsd

import (
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// entry is what the certs directory holds under one name.
type entry struct {
	// at is where in the run directory a link of ours leads, "" for what is not ours.
	at string
	// what a person would call it.
	what string
}

func (e entry) ours() bool { return e.at != "" }

// readEntries reads the certs directory. Ours is a link whose target, as it is written, lies in the run directory,
// whether anything is there (after a reboot nothing is) or not.
func readEntries(certs *os.Root, run string) (map[string]entry, error) {
	listed, err := fs.ReadDir(certs.FS(), ".")
	if err != nil {
		return nil, err
	}
	entries := map[string]entry{}
	for _, found := range listed {
		switch {
		case found.Type()&fs.ModeSymlink != 0:
			target, err := certs.Readlink(found.Name())
			if err != nil {
				return nil, err
			}
			at, _ := strings.CutPrefix(filepath.Clean(target), run+string(filepath.Separator))
			if filepath.IsAbs(at) || !filepath.IsAbs(target) {
				at = ""
			}
			entries[found.Name()] = entry{at: at, what: "a link to " + target}
		case found.IsDir():
			entries[found.Name()] = entry{what: "a directory"}
		default:
			entries[found.Name()] = entry{what: "a file"}
		}
	}
	return entries, nil
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
