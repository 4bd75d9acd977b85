package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/store"
)

// evictable are the cases of a store.Evictable.
var evictable = map[string]func(*testing.T, Opener){
	"a removed object is gone and may be kept again":    testRemove,
	"what is in use is not removed":                     testRemoveInUse,
	"a fill that nobody goes on with is removed":        testRemoveFill,
	"a walk and a large enough sample yield everything": testWalk,
	"usage is within capacity":                          testUsage,
}

// later is after everything that a test does.
func later() time.Time { return time.Now().Add(time.Hour) }

func remover(t *testing.T, place Opener) store.Evictable {
	s, ok := place().(store.Evictable)
	if !ok {
		t.Fatal("the store is Evictable at one time and not at another")
	}
	return s
}

func testRemove(t *testing.T, place Opener) {
	s, d := place(), put(t, place(), "0123456789")
	must(t, s.Link(t.Context(), debian, store.Link{Digest: d, Effective: debian.Name}))
	must(t, remover(t, place).Remove(t.Context(), d, later()))
	wantNotFound(t, s, d)
	if err := remover(t, place).Remove(t.Context(), d, later()); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("removing what is not there: got error %v, want ErrNotFound", err)
	}
	if err := remover(t, place).Remove(t.Context(), "sha256:../x", later()); err == nil {
		t.Error("removing what is no digest: no error")
	}
	_, err := s.Linked(t.Context(), debian, d)
	must(t, err)
	p := fill(t, place(), "0123456789")
	write(t, p, "0123456789")
	must(t, p.Commit(t.Context(), prove(t, "0123456789")))
	equal(t, "again", read(t, open(t, s, d), 0, 10), "0123456789")
}

func testRemoveInUse(t *testing.T, place Opener) {
	s := remover(t, place)
	all, ok := s.(store.Store)
	if !ok {
		t.Fatal("the Evictable is no Store")
	}
	d := put(t, all, "0123456789")
	wantInUse(t, "used since", s.Remove(t.Context(), d, time.Now().Add(-time.Hour)))
	object, err := all.Open(t.Context(), d)
	must(t, err)
	wantInUse(t, "being read", s.Remove(t.Context(), d, later()))
	// Another process does not know of the reader, which reads on.
	must(t, remover(t, place).Remove(t.Context(), d, later()))
	equal(t, "removed", read(t, object, 3, 7), "3456789")
	must(t, object.Close())
	put(t, all, "0123456789")
	must(t, s.Remove(t.Context(), d, later()))
}

func testRemoveFill(t *testing.T, place Opener) {
	d := digest.FromString("abcdef")
	p := fill(t, place(), "abcdef")
	write(t, p, "abc")
	wantInUse(t, "being filled", remover(t, place).Remove(t.Context(), d, later()))
	must(t, p.Close())
	wantInUse(t, "filled since", remover(t, place).Remove(t.Context(), d, time.Now().Add(-time.Hour)))
	must(t, remover(t, place).Remove(t.Context(), d, later()))
	p = fill(t, place(), "abcdef")
	wantLeft(t, p)
	must(t, p.Discard())
}

func testWalk(t *testing.T, place Opener) {
	want := []string{put(t, place(), "one").String(), put(t, place(), "two").String(), put(t, place(), "").String()}
	p := fill(t, place(), "abcdef")
	write(t, p, "abc")
	must(t, p.Close())
	want = append(want, digest.FromString("abcdef").String())

	var walked, sampled []string
	must(t, remover(t, place).Walk(t.Context(), func(e store.Entry) error {
		walked = append(walked, e.Digest.String())
		if e.Size <= 0 || time.Since(e.LastAccess).Abs() > time.Hour {
			t.Errorf("%s: size %d, last access %s", e.Digest, e.Size, e.LastAccess)
		}
		return nil
	}))
	must(t, remover(t, place).Sample(t.Context(), 100, func(e store.Entry) error {
		sampled = append(sampled, e.Digest.String())
		return nil
	}))
	for what, got := range map[string][]string{"walked": walked, "sampled": sampled} {
		if diff := cmp.Diff(want, got, cmpopts.SortSlices(func(a, b string) bool { return a < b })); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	stop := errors.New("stop")
	if err := remover(t, place).Walk(t.Context(), func(store.Entry) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("a walk that is stopped: got error %v", err)
	}
}

func testUsage(t *testing.T, place Opener) {
	usage, err := remover(t, place).Usage(t.Context())
	must(t, err)
	if usage.Capacity <= 0 || usage.Used < 0 || usage.Used > usage.Capacity || usage.Inodes < 0 || usage.UsedInodes < 0 {
		t.Errorf("usage is %+v", usage)
	}
}

func wantInUse(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, store.ErrInUse) {
		t.Errorf("removing what is %s: got error %v, want ErrInUse", what, err)
	}
}
