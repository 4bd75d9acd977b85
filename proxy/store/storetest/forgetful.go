package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/store"
)

// forgetful are the cases of a store.Forgetful.
var forgetful = map[string]func(*testing.T, Opener){
	"what leads nowhere is forgotten, and nothing else":        testForget,
	"what was written lately is not forgotten":                 testForgetLately,
	"lists are forgotten by their age alone":                   testForgetLists,
	"names are written while others of their repository go":    testForgetMeanwhile,
	"nothing is forgotten any more when the context has ended": testForgetNoMore,
}

func forgetter(t *testing.T, place Opener) store.Forgetful {
	t.Helper()
	s, ok := place().(store.Forgetful)
	if !ok {
		t.Fatal("the store is Forgetful at one time and not at another")
	}
	return s
}

// long is before everything that a test does.
func long() time.Time { return time.Now().Add(-time.Hour) }

func forget(t *testing.T, place Opener, since, listsSince time.Time, want int64) {
	t.Helper()
	n, err := forgetter(t, place).Forget(t.Context(), since, listsSince)
	must(t, err)
	equal(t, "names forgotten", n, want)
}

func testForget(t *testing.T, place Opener) {
	s := place()
	kept, gone, coming := put(t, s, "kept"), digest.FromString("gone"), digest.FromString("coming")
	other := digest.FromString("of another name")
	p := fill(t, s, "coming")
	must(t, s.Link(t.Context(), debian,
		store.Link{Digest: kept, Effective: debian.Name}, store.Link{Digest: gone, Effective: debian.Name},
		store.Link{Digest: coming, Effective: debian.Name}, store.Link{Digest: other, Effective: "debian"}))
	must(t, s.SetTag(t.Context(), debian, "kept", store.Tag{Digest: kept, Effective: debian.Name}))
	must(t, s.SetTag(t.Context(), debian, "gone", store.Tag{Digest: gone, Effective: debian.Name}))
	must(t, s.SetTag(t.Context(), debian, "other", store.Tag{Digest: other, Effective: "debian"}))
	forget(t, place, later(), later(), 2)
	for what, d := range map[string]digest.Digest{"of what is there": kept, "of what is on its way": coming, "by another name": other} {
		if _, err := s.Linked(t.Context(), debian, d); err != nil {
			t.Errorf("the link %s: %v", what, err)
		}
	}
	for _, tag := range []string{"kept", "other"} {
		if _, err := s.Tag(t.Context(), debian, tag); err != nil {
			t.Errorf("the tag %s: %v", tag, err)
		}
	}
	_, err := s.Linked(t.Context(), debian, gone)
	wantForgotten(t, "the link of what went", err)
	_, err = s.Tag(t.Context(), debian, "gone")
	wantForgotten(t, "the tag of what went", err)
	must(t, p.Discard())
	forget(t, place, later(), later(), 1)
}

func testForgetLately(t *testing.T, place Opener) {
	s, link := place(), store.Link{Digest: digest.FromString("gone"), Effective: debian.Name}
	must(t, s.Link(t.Context(), debian, link))
	must(t, s.SetTag(t.Context(), debian, "gone", store.Tag{Digest: link.Digest, Effective: debian.Name}))
	forget(t, place, long(), later(), 0)
	before := time.Now()
	must(t, s.Link(t.Context(), debian, link)) // again in the same words
	forget(t, place, before, later(), 1)
	_, err := s.Linked(t.Context(), debian, link.Digest)
	must(t, err)
}

func testForgetLists(t *testing.T, place Opener) {
	s, none := place(), put(t, place(), "an empty list")
	for _, subject := range []string{"one", "two"} {
		must(t, s.SetTag(t.Context(), debian.Lists(), subject, store.Tag{Digest: none, Effective: debian.Name}))
	}
	forget(t, place, later(), long(), 0)
	forget(t, place, long(), later(), 2)
	_, err := s.Tag(t.Context(), debian.Lists(), "one")
	wantForgotten(t, "the list", err)
}

func testForgetMeanwhile(t *testing.T, place Opener) {
	s := place()
	ended := make(chan error, 1)
	enough := make(chan struct{})
	go func() {
		var err error
		for more := true; more && err == nil; {
			_, err = forgetter(t, place).Forget(t.Context(), long(), long())
			select {
			case <-enough:
				more = false
			default:
			}
		}
		ended <- err
	}()
	tag := store.Tag{Digest: digest.FromString("gone"), Effective: debian.Name}
	for range 100 {
		must(t, s.SetTag(t.Context(), debian, "gone", tag))
		must(t, s.DeleteTag(t.Context(), debian, "gone"))
	}
	close(enough)
	must(t, <-ended)
}

func testForgetNoMore(t *testing.T, place Opener) {
	s := place()
	for _, name := range []string{"one", "two"} {
		must(t, s.Link(t.Context(), debian, store.Link{Digest: digest.FromString(name), Effective: debian.Name}))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	n, err := forgetter(t, place).Forget(ctx, later(), later())
	if !errors.Is(err, context.Canceled) || n == 2 {
		t.Errorf("%d names forgotten with error %v, want fewer than 2 and %v", n, err, context.Canceled)
	}
}

func wantForgotten(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, store.ErrNotFound) {
		t.Errorf("%s: got error %v, want ErrNotFound", what, err)
	}
}
