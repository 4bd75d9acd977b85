package pullthrough

import (
	"slices"

	"github.com/registryhub/registryhub/proxy/store"
)

// plan is which bytes of a blob are there, which are on their way, and which are waited for. It decides what is fetched
// next, and is guarded by its fill.
type plan struct {
	size int64
	// step is how long a segment is.
	step int64

	have  store.Extents
	taken []*segment
	// wants counts who waits for the byte at an offset.
	wants map[int64]int
}

// segment is a run of bytes that one transfer fetches.
type segment struct {
	// at is the next byte.
	at int64
	// end is where the transfer stops. It moves towards at when another takes what is far ahead.
	end int64
	// open says that the transfer would go on to the end of the blob.
	open bool
}

// take reserves what is fetched next: the first bytes that somebody waits for and that are not on their way, or else the
// first that are missing. nil: there are none.
func (p *plan) take() *segment {
	start, wanted := p.unserved()
	if !wanted {
		start = p.free(0)
	}
	if start >= p.size {
		return nil
	}
	one := &segment{at: start, end: min(start+min(p.step, p.size-start), p.have.Next(start, p.size))}
	for _, other := range p.taken {
		switch {
		case other.at > start:
			one.end = min(one.end, other.at)
		case other.end > start:
			other.end = start
		}
	}
	p.taken = append(p.taken, one)
	return one
}

// drop ends the reservation of what a segment did not bring.
func (p *plan) drop(one *segment) {
	p.taken = slices.DeleteFunc(p.taken, func(other *segment) bool { return other == one })
}

// whole ends the fetching in segments: an open transfer goes on to where bytes are there or on their way, and what is
// missing then is fetched in one go.
func (p *plan) whole() {
	p.step = max(p.size, 1)
	for _, one := range p.taken {
		if !one.open {
			continue
		}
		one.end = p.have.Next(one.at, p.size)
		for _, other := range p.taken {
			if other.at > one.at {
				one.end = min(one.end, other.at)
			}
		}
	}
}

// wrote notes that a segment has brought its next n bytes.
func (p *plan) wrote(one *segment, n int64) {
	p.have = p.have.Add(store.Extent{Start: one.at, End: one.at + n})
	one.at += n
}

// unserved is the first byte that somebody waits for and nobody brings.
func (p *plan) unserved() (int64, bool) {
	first, found := p.size, false
	for offset := range p.wants {
		if offset < first && p.free(offset) == offset {
			first, found = offset, true
		}
	}
	return first, found
}

// free is the first byte from an offset on that is missing and not about to come, or the size. A segment is about to bring
// one step; what an open one would bring later can be taken from it.
func (p *plan) free(offset int64) int64 {
	for before := int64(-1); offset != before; {
		before = offset
		offset = p.have.From(offset)
		for _, one := range p.taken {
			if one.at <= offset {
				offset = max(offset, one.at+min(p.step, one.end-one.at))
			}
		}
	}
	return offset
}
