package fsstore

import (
	"errors"
	"strings"
	"testing"

	"github.com/registryhub/registryhub/proxy/store"
)

// A record can be there although its writer was told otherwise: its directory could not be synced, say.
func TestAChunkStaysThatARecordNames(t *testing.T) {
	s, err := Open(t.TempDir())
	must(t, err)
	upload, err := s.BeginUpload(t.Context(), store.Repository{Host: "local", Name: "app"})
	must(t, err)
	dir := s.uploadPath(upload.ID)
	first, other := nextRecord(t, s, dir), nextRecord(t, s, dir)
	must(t, writeRecord(dir, first))
	if err := writeRecord(dir, other); !errors.Is(err, store.ErrConflict) {
		t.Fatalf("a second record of its number: got error %v, want ErrConflict", err)
	}
	must(t, errors.Join(first.abandon(dir), other.abandon(dir)))
	var kept strings.Builder
	must(t, first.Chunk.copyTo(&kept, dir))
	if kept.String() != "chunk" {
		t.Errorf("the chunk that was acknowledged has %q", kept.String())
	}
	if err := other.Chunk.copyTo(&kept, dir); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the chunk that no record names: got error %v, want ErrNotFound", err)
	}
}

// nextRecord is the first that adds to an upload, not made yet.
func nextRecord(t *testing.T, s *Store, dir string) record {
	t.Helper()
	last, sum, err := readAt(dir, 0)
	must(t, err)
	taken, err := s.takeChunk(dir, strings.NewReader("chunk"), sum)
	must(t, err)
	next, err := last.with(taken, sum)
	must(t, err)
	return next
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
