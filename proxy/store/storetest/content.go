package storetest

import (
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/store"
)

func testPut(t *testing.T, place Opener) {
	d := put(t, place(), "0123456789")
	put(t, place(), "0123456789")
	object := open(t, place(), d)
	equal(t, "size", object.Size(), 10)
	equal(t, "all", read(t, object, 0, 10), "0123456789")
	equal(t, "middle", read(t, object, 3, 4), "3456")
	equal(t, "nothing", read(t, object, 10, 0), "")

	section, err := object.Section(t.Context(), 2, 3)
	must(t, err)
	var copied strings.Builder
	_, err = io.Copy(&copied, section)
	must(t, err)
	equal(t, "copied", copied.String(), "234")
	must(t, section.Close())

	empty := put(t, place(), "")
	equal(t, "size of the empty object", open(t, place(), empty).Size(), 0)
}

func testProof(t *testing.T, place Opener) {
	s, d := place(), digest.FromString("right")
	for name, proof := range map[string]store.Proof{"none": {}, "of other bytes": prove(t, "wrong!")} {
		if err := s.Put(t.Context(), proof, []byte("right")); err == nil {
			t.Errorf("put with a proof that is %s: no error", name)
		}
		p := fill(t, s, "right")
		write(t, p, "right")
		if err := p.Commit(t.Context(), proof); err == nil {
			t.Errorf("commit with a proof that is %s: no error", name)
		}
	}
	short := fill(t, s, "right")
	write(t, short, "righ")
	if err := short.Commit(t.Context(), prove(t, "right")); err == nil {
		t.Error("commit of a short fill: no error")
	}
	wantNotFound(t, s, d)
}

func testNotFound(t *testing.T, place Opener) {
	wantNotFound(t, place(), digest.FromString("absent"))
	for _, bad := range []digest.Digest{"", "sha256:", "sha256:../../etc/passwd", "../x:00", "md5:00"} {
		if _, err := place().Open(t.Context(), bad); err == nil {
			t.Errorf("opening %q: no error", bad)
		}
		if _, err := place().Partial(t.Context(), bad, 1); err == nil {
			t.Errorf("filling %q: no error", bad)
		}
	}
}

func testCommit(t *testing.T, place Opener) {
	s := place()
	p := fill(t, s, "abcdef")
	wantLeft(t, p)
	writeAt(t, p, 0, "abc")
	wantNotFound(t, s, digest.FromString("abcdef"))
	writeAt(t, p, 3, "def")
	must(t, p.Commit(t.Context(), prove(t, "abcdef")))
	equal(t, "all", read(t, open(t, place(), digest.FromString("abcdef")), 0, 6), "abcdef")
}

func testReaders(t *testing.T, place Opener) {
	endings := map[string]func(store.Partial) error{
		"commit":  func(p store.Partial) error { return p.Commit(t.Context(), prove(t, "abcdef")) },
		"discard": store.Partial.Discard,
		"close":   store.Partial.Close,
	}
	for _, name := range []string{"close", "discard", "commit"} {
		p := fill(t, place(), "abcdef")
		write(t, p, "abcdef"[p.Left().From(0):])
		r, err := p.Reader(t.Context())
		must(t, err)
		equal(t, name+": before", read(t, r, 0, 3), "abc")
		must(t, endings[name](p))
		equal(t, name+": after", read(t, r, 2, 4), "cdef")
		must(t, r.Close())
	}
}

func testExclusive(t *testing.T, place Opener) {
	p := fill(t, place(), "abcdef")
	for range 2 {
		if _, err := place().Partial(t.Context(), digest.FromString("abcdef"), 6); !errors.Is(err, store.ErrLocked) {
			t.Errorf("a second fill: got error %v, want ErrLocked", err)
		}
	}
	write(t, p, "abcdef")
	must(t, p.Commit(t.Context(), prove(t, "abcdef")))
}

func testExists(t *testing.T, place Opener) {
	d := put(t, place(), "abc")
	if _, err := place().Partial(t.Context(), d, 3); !errors.Is(err, store.ErrExists) {
		t.Errorf("filling a whole object: got error %v, want ErrExists", err)
	}
	equal(t, "all", read(t, open(t, place(), d), 0, 3), "abc")
}

func testResume(t *testing.T, place Opener) {
	p := fill(t, place(), "abcdef")
	write(t, p, "abcd")
	must(t, p.Close())

	p = fill(t, place(), "abcdef")
	wantLeft(t, p, store.Extent{Start: 0, End: 4})
	r, err := p.Reader(t.Context())
	must(t, err)
	equal(t, "what was left", read(t, r, 0, 4), "abcd")
	must(t, r.Close())
	write(t, p, "ef")
	must(t, p.Commit(t.Context(), prove(t, "abcdef")))
	equal(t, "all", read(t, open(t, place(), digest.FromString("abcdef")), 0, 6), "abcdef")
}

func testAnyOrder(t *testing.T, place Opener) {
	data := strings.Repeat("0123456789abcdef", 4096)
	s, d := place(), digest.FromString(data)
	p := fill(t, s, data)
	var writers sync.WaitGroup
	const piece = 1000
	for start := 0; start < len(data); start += piece {
		writers.Go(func() {
			if _, err := p.WriteAt([]byte(data[start:min(start+piece, len(data))]), int64(start)); err != nil {
				t.Error(err)
			}
		})
	}
	writers.Wait()
	must(t, p.Commit(t.Context(), prove(t, data)))
	equal(t, "all", read(t, open(t, place(), d), 0, int64(len(data))), data)
}

func testGaps(t *testing.T, place Opener) {
	p := fill(t, place(), "abcdefghi")
	writeAt(t, p, 3, "def")
	writeAt(t, p, 7, "h")
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	p = fill(t, place(), "abcdefghi")
	wantLeft(t, p, store.Extent{Start: 3, End: 6}, store.Extent{Start: 7, End: 8})
	writeAt(t, p, 0, "abc")
	writeAt(t, p, 6, "g")
	if err := p.Commit(t.Context(), prove(t, "abcdefghi")); err == nil {
		t.Error("commit of a fill with its end missing: no error")
	}
	p = fill(t, place(), "abcdefghi")
	wantLeft(t, p)
	writeAt(t, p, 3, "defghi")
	writeAt(t, p, 0, "abc")
	must(t, p.Commit(t.Context(), prove(t, "abcdefghi")))
	equal(t, "all", read(t, open(t, place(), digest.FromString("abcdefghi")), 0, 9), "abcdefghi")
}

func testDiscard(t *testing.T, place Opener) {
	p := fill(t, place(), "abcdef")
	write(t, p, "abcd")
	must(t, p.Discard())
	p = fill(t, place(), "abcdef")
	wantLeft(t, p)
	must(t, p.Discard())
}

func testTooLong(t *testing.T, place Opener) {
	p := fill(t, place(), "abc")
	write(t, p, "abcdef")
	must(t, p.Close())
	p = fill(t, place(), "abc")
	wantLeft(t, p)
	must(t, p.Discard())
}

func wantNotFound(t *testing.T, s store.Store, d digest.Digest) {
	t.Helper()
	if _, err := s.Open(t.Context(), d); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("opening %s: got error %v, want ErrNotFound", d, err)
	}
}
