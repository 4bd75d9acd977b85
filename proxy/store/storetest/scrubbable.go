package storetest

import (
	"context"
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/store"
)

// scrubbable are the cases of a store.Scrubbable. How an object is damaged only the store's own tests know.
var scrubbable = map[string]func(*testing.T, Opener){
	"the parts are all objects":            testParts,
	"a whole object is scrubbed in pieces": testScrub,
	"a scrub ends when it is told to":      testScrubEnds,
	"a scrub of what is not there":         testScrubMissing,
	"tidying leaves objects and fills be":  testTidy,
	"a scrub is no access":                 testScrubIsNoAccess,
}

func scrubber(t *testing.T, place Opener) store.Scrubbable {
	s, ok := place().(store.Scrubbable)
	if !ok {
		t.Fatal("the store is Scrubbable at one time and not at another")
	}
	return s
}

// unpaced lets a scrub read as fast as it can.
func unpaced(context.Context, int64) error { return nil }

func testParts(t *testing.T, place Opener) {
	var want, got []string
	for _, data := range []string{"one", "two", "three", ""} {
		want = append(want, put(t, place(), data).String())
	}
	p := fill(t, place(), "abcdef")
	write(t, p, "abc")
	must(t, p.Close())
	for i := range store.Parts {
		first := byte(i)
		must(t, scrubber(t, place).Part(t.Context(), first, func(d digest.Digest) error {
			got = append(got, d.String())
			if d.Encoded()[:2] != hex.EncodeToString([]byte{first}) {
				t.Errorf("%s is in part %02x", d, first)
			}
			return nil
		}))
	}
	if diff := cmp.Diff(want, got, cmpopts.SortSlices(func(a, b string) bool { return a < b })); diff != "" {
		t.Errorf("the parts (-want +got):\n%s", diff)
	}
}

func testScrub(t *testing.T, place Opener) {
	large := string(make([]byte, 1<<20))
	for _, data := range []string{"", "0123456789", large} {
		d, paced := put(t, place(), data), int64(0)
		size, err := scrubber(t, place).Scrub(t.Context(), d, func(_ context.Context, bytes int64) error {
			paced += bytes
			return nil
		})
		must(t, err)
		equal(t, "size", size, int64(len(data)))
		if paced < size {
			t.Errorf("the pace was asked for %d bytes of %d", paced, size)
		}
		equal(t, "length of what is there still", len(read(t, open(t, place(), d), 0, size)), len(data))
	}
}

func testScrubEnds(t *testing.T, place Opener) {
	d, stop := put(t, place(), "0123456789"), errors.New("stop")
	_, err := scrubber(t, place).Scrub(t.Context(), d, func(context.Context, int64) error { return stop })
	if !errors.Is(err, stop) || errors.Is(err, store.ErrDamaged) {
		t.Errorf("a scrub that is stopped: got error %v", err)
	}
	equal(t, "what is there still", read(t, open(t, place(), d), 0, 10), "0123456789")
}

func testScrubMissing(t *testing.T, place Opener) {
	_, err := scrubber(t, place).Scrub(t.Context(), digest.FromString("nothing"), unpaced)
	if !errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrDamaged) {
		t.Errorf("got error %v, want ErrNotFound and not ErrDamaged", err)
	}
	if _, err := scrubber(t, place).Scrub(t.Context(), "sha256:../x", unpaced); err == nil {
		t.Error("scrubbing what is no digest: no error")
	}
}

func testTidy(t *testing.T, place Opener) {
	d, p := put(t, place(), "0123456789"), fill(t, place(), "abcdef")
	write(t, p, "abc")
	must(t, scrubber(t, place).Tidy(t.Context()))
	equal(t, "all", read(t, open(t, place(), d), 0, 10), "0123456789")
	writeAt(t, p, 3, "def")
	must(t, p.Commit(t.Context(), prove(t, "abcdef")))
}

func testScrubIsNoAccess(t *testing.T, place Opener) {
	s, ok := place().(store.Evictable)
	if !ok {
		return // nobody can see when it was used
	}
	d := put(t, place(), "0123456789")
	used := func() (at time.Time) {
		must(t, s.Walk(t.Context(), func(e store.Entry) error {
			at = e.LastAccess
			return nil
		}))
		return at
	}
	before := used()
	_, err := scrubber(t, place).Scrub(t.Context(), d, unpaced)
	must(t, err)
	if after := used(); !after.Equal(before) {
		t.Errorf("scrubbed, it was last used at %s, before at %s", after, before)
	}
	must(t, s.Remove(t.Context(), d, later()))
}
