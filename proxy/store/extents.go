package store

import (
	"slices"
	"sort"
)

// Extent is a run of bytes of an object, from Start up to, and without, End.
type Extent struct {
	Start, End int64
}

// Extents are runs of bytes, sorted, none of which overlaps or adjoins another. The zero value holds nothing.
type Extents []Extent

// Add returns e with a run added to it. It may change e's own memory.
func (e Extents) Add(run Extent) Extents {
	if run.Start >= run.End {
		return e
	}
	first := sort.Search(len(e), func(i int) bool { return e[i].End >= run.Start })
	last := first
	for last < len(e) && e[last].Start <= run.End {
		run.Start, run.End = min(run.Start, e[last].Start), max(run.End, e[last].End)
		last++
	}
	return slices.Replace(e, first, last, run)
}

// From returns the end of the run that holds the byte at offset, or offset when none does.
func (e Extents) From(offset int64) int64 {
	i := e.after(offset)
	if i < len(e) && e[i].Start <= offset {
		return e[i].End
	}
	return offset
}

// Next returns the start of the first run that ends after offset, or otherwise when there is none.
func (e Extents) Next(offset, otherwise int64) int64 {
	if i := e.after(offset); i < len(e) {
		return max(e[i].Start, offset)
	}
	return otherwise
}

// Whole reports whether the bytes are exactly the first size ones.
func (e Extents) Whole(size int64) bool {
	if size == 0 {
		return len(e) == 0
	}
	return len(e) == 1 && e[0] == Extent{Start: 0, End: size}
}

// after is the index of the first run that ends after offset.
func (e Extents) after(offset int64) int {
	return sort.Search(len(e), func(i int) bool { return e[i].End > offset })
}
