package powerloss

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
)

// operation is something that was done to the disk.
type operation struct {
	kind kind
	// path, and to for a rename, from the root of what is watched; a file's content is known by node instead, since
	// its name may change.
	path, to string
	node     int
	offset   int64
	data     []byte
	// size that a file is cut to.
	size int64
	// began is how many operations were done when a sync began: it is for those alone.
	began int
}

type kind string

// The operations.
const (
	makeFolder kind = "mkdir"
	makeFile   kind = "create"
	rename     kind = "rename"
	remove     kind = "unlink"
	write      kind = "write"
	cut        kind = "truncate"
	syncFile   kind = "sync a file"
	syncFolder kind = "sync a folder"
)

func (o operation) String() string {
	switch o.kind {
	case write:
		return fmt.Sprintf("%s %s (file %d) at %d, %d bytes", o.kind, o.path, o.node, o.offset, len(o.data))
	case cut:
		return fmt.Sprintf("%s %s (file %d) to %d", o.kind, o.path, o.node, o.size)
	default:
		return fmt.Sprintf("%s %s %s", o.kind, o.path, o.to)
	}
}

// folders are those whose names an operation changes; none where it changes no name.
func (o operation) folders() []string {
	switch o.kind {
	case makeFolder, makeFile, remove:
		return []string{path.Dir(o.path)}
	case rename:
		return []string{path.Dir(o.path), path.Dir(o.to)}
	default:
		return nil
	}
}

// loss says what is lost of what was not synced.
type loss struct {
	name string
	// names and bytes say whether one operation on a name, or one write, is lost.
	names, bytes func() bool
	// zeros says whether a write that is lost leaves its length.
	zeros func() bool
}

func always() bool { return true }
func never() bool  { return false }

// chance is true for one in n.
func chance(random *rand.Rand, n int) func() bool {
	return func() bool { return random.IntN(n) == 0 }
}

// left is what is on the disk.
type left struct {
	folders map[string]bool
	files   map[string]int
	nodes   map[int][]byte
}

// after plays operations, and loses of what was not synced what the loss says. Of the names in a folder those are lost
// that came last: a file system keeps their order. A name that went from one folder to another is durable with either.
func after(done []operation, lost loss) left {
	l := left{folders: map[string]bool{".": true}, files: map[string]int{}, nodes: map[int][]byte{}}
	durable := durables(done)
	ended := map[string]bool{} // folders of which everything later is lost
	for i, o := range done {
		gone := false
		if folders := o.folders(); folders != nil && !durable[i] {
			gone = slices.ContainsFunc(folders, func(f string) bool { return ended[f] }) || lost.names()
			for _, folder := range folders {
				ended[folder] = ended[folder] || gone
			}
		}
		if o.kind == write || o.kind == cut {
			gone = !durable[i] && lost.bytes()
		}
		l.play(o, gone, lost.zeros)
	}
	return l
}

// durables says of each operation whether a later sync made it durable.
func durables(done []operation) []bool {
	durable := make([]bool, len(done))
	for _, o := range done {
		for i, earlier := range done[:min(o.began, len(done))] {
			switch o.kind { //nolint:exhaustive // the others sync nothing
			case syncFile:
				durable[i] = durable[i] || earlier.node == o.node && (earlier.kind == write || earlier.kind == cut)
			case syncFolder:
				durable[i] = durable[i] || slices.Contains(earlier.folders(), o.path)
			}
		}
	}
	return durable
}

func (l left) play(o operation, gone bool, zeros func() bool) {
	content := l.nodes[o.node]
	switch o.kind {
	case write:
		end := int(o.offset) + len(o.data)
		if gone && !zeros() {
			return
		}
		if len(content) < end {
			content = append(content, make([]byte, end-len(content))...)
		}
		if !gone {
			copy(content[o.offset:], o.data)
		}
		l.nodes[o.node] = content
	case cut:
		if !gone {
			l.nodes[o.node] = append(content[:min(len(content), int(o.size))], make([]byte, max(0, int(o.size)-len(content)))...)
		}
	default:
		if !gone {
			l.name(o)
		}
	}
}

// name does an operation on names.
func (l left) name(o operation) {
	switch o.kind { //nolint:exhaustive // the others are not on names
	case makeFolder:
		l.folders[o.path] = true
	case makeFile:
		l.files[o.path] = o.node
	case remove:
		delete(l.files, o.path)
	case rename:
		delete(l.files, o.path)
		l.files[o.to] = o.node
	}
}

// write makes the folders and files below a directory. What is in a folder that is lost is lost.
func (l left) write(dir string) error {
	for _, folder := range slices.Sorted(maps.Keys(l.folders)) {
		if l.reaches(folder) {
			if err := os.MkdirAll(filepath.Join(dir, folder), 0o750); err != nil {
				return err
			}
		}
	}
	for name, node := range l.files {
		if l.reaches(path.Dir(name)) {
			if err := os.WriteFile(filepath.Join(dir, name), l.nodes[node], 0o640); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l left) reaches(folder string) bool {
	for ; folder != "."; folder = path.Dir(folder) {
		if !l.folders[folder] {
			return false
		}
	}
	return true
}
