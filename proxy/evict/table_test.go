package evict_test

import (
	"encoding/binary"
	"runtime"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/evict"
	"github.com/registryhub/registryhub/proxy/store"
)

func TestTableHolds48BytesAnObject(t *testing.T) {
	const objects = 200_000
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	table := &evict.Table{}
	for i := range objects {
		var sum [32]byte
		binary.BigEndian.PutUint32(sum[:], uint32(i))
		table.Add(store.Entry{Digest: digest.NewDigestFromBytes(digest.SHA256, sum[:]), LastAccess: now.Add(time.Duration(i*7919%objects) * time.Second)})
	}
	table.Sort()
	runtime.GC()
	runtime.ReadMemStats(&after)
	// What is beside the rows: less than one chunk of them, and pointers to the chunks.
	if got := int64(after.HeapAlloc) - int64(before.HeapAlloc); got > 49*objects+8192*48 {
		t.Errorf("the table of %d objects takes %d bytes", objects, got)
	}
	for i := range objects {
		e, ok := table.Oldest()
		if want := now.Add(time.Duration(i) * time.Second); !ok || !e.LastAccess.Equal(want) {
			t.Fatalf("object %d: got %v at %s, want one at %s", i, ok, e.LastAccess, want)
		}
		table.Take()
	}
	if e, ok := table.Oldest(); ok {
		t.Errorf("the empty table has %v", e)
	}
}
