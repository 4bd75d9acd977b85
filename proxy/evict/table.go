package evict

import (
	"encoding/hex"
	"sort"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/store"
)

// chunkRows is how many rows are made at once: growing a slice of a million would hold it twice.
const chunkRows = 8192

// row is an object in 48 bytes.
type row struct {
	// key is a SHA-256 digest; of a longer one it is unused.
	key  [32]byte
	size int64
	// access is in seconds since 1970, rounded up.
	access uint32
	// long is one more than the place of a longer digest in the table's.
	long uint32
}

// Table is what a scan found, least recently used first, to be taken from the front. Nothing is added once it is
// sorted, and need not be: what was used or came since the scan was used after everything in it.
type Table struct {
	chunks []*[chunkRows]row
	long   []digest.Digest
	taken  int
	n      int
}

// Add adds an object. Digests longer than SHA-256, which are rare, take more than 48 bytes.
func (t *Table) Add(e store.Entry) {
	if t.n%chunkRows == 0 {
		t.chunks = append(t.chunks, new([chunkRows]row))
	}
	r := t.row(t.n)
	t.n++
	r.size, r.access = e.Size, seconds(e.LastAccess)
	if e.Digest.Algorithm() == digest.SHA256 {
		if _, err := hex.Decode(r.key[:], []byte(e.Digest.Encoded())); err == nil {
			return
		}
	}
	t.long = append(t.long, e.Digest)
	r.long = uint32(len(t.long)) //nolint:gosec // a table of 2^32 rows would not fit in memory
}

// seconds rounds up: an object that was not used since does not look as if it were.
func seconds(at time.Time) uint32 {
	unix := at.Add(time.Second - 1).Unix()
	return uint32(min(max(unix, 0), 1<<32-1)) // until 2106
}

// Sort ends the adding.
func (t *Table) Sort() { sort.Sort(t) }

// Oldest returns the least recently used object; false: there is none.
func (t *Table) Oldest() (store.Entry, bool) {
	if t.taken == t.n {
		return store.Entry{}, false
	}
	r := t.row(t.taken)
	d := digest.NewDigestFromBytes(digest.SHA256, r.key[:])
	if r.long > 0 {
		d = t.long[r.long-1]
	}
	return store.Entry{Digest: d, Size: r.size, LastAccess: time.Unix(int64(r.access), 0)}, true
}

// Take takes the least recently used object off, and gives its memory back.
func (t *Table) Take() {
	t.taken++
	if t.taken%chunkRows == 0 {
		t.chunks[t.taken/chunkRows-1] = nil
	}
}

func (t *Table) row(i int) *row { return &t.chunks[i/chunkRows][i%chunkRows] }

// Len implements sort.Interface.
func (t *Table) Len() int { return t.n }

// Less implements sort.Interface.
func (t *Table) Less(i, j int) bool { return t.row(i).access < t.row(j).access }

// Swap implements sort.Interface.
func (t *Table) Swap(i, j int) {
	a, b := t.row(i), t.row(j)
	*a, *b = *b, *a
}
