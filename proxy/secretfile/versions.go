package secretfile

import (
	"os"
	"slices"
)

// Versions tell states of files apart without reading them: who mounts a Secret, or writes a file as one should, swaps it
// for another file.
type Versions []os.FileInfo

// Look looks at files. An empty path stands for none.
func Look(paths ...string) Versions {
	var seen Versions
	for _, path := range paths {
		if path == "" {
			continue
		}
		info, err := os.Stat(path)
		if err != nil {
			info = nil // It is not there, or reading it says why.
		}
		seen = append(seen, info)
	}
	return seen
}

// Same reports whether the files are those that were seen then.
func (v Versions) Same(then Versions) bool {
	return slices.EqualFunc(v, then, func(x, y os.FileInfo) bool {
		if x == nil || y == nil {
			return x == nil && y == nil
		}
		return os.SameFile(x, y) && x.ModTime().Equal(y.ModTime()) && x.Size() == y.Size()
	})
}
