package storetest

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/registryhub/registryhub/proxy/store"
)

func testWalkLinks(t *testing.T, place Opener) {
	r := registryOf(t, place)
	known, err := r.Has(t.Context(), debian)
	must(t, err)
	equal(t, "known before anything is there", known, false)
	links := map[digest.Digest]store.Link{}
	for _, text := range []string{"a", "b", "c"} {
		link := store.Link{Digest: digest.FromString(text), Effective: debian.Name}
		links[link.Digest] = link
		must(t, r.Link(t.Context(), debian, link))
	}
	must(t, r.Link(t.Context(), store.Repository{Host: debian.Host, Name: debian.Name + "/below"}, store.Link{Digest: digest.FromString("x")}))
	must(t, r.Renew(t.Context(), debian, digest.FromString("b")))
	must(t, r.Unlink(t.Context(), debian, digest.FromString("b")))
	delete(links, digest.FromString("b"))
	if err := r.Unlink(t.Context(), debian, digest.FromString("b")); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("taking away what is not there: got error %v, want ErrNotFound", err)
	}
	if err := r.Renew(t.Context(), debian, digest.FromString("b")); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("renewing what is not there: got error %v, want ErrNotFound", err)
	}
	got := map[digest.Digest]store.Link{}
	must(t, registryOf(t, place).WalkLinks(t.Context(), debian, func(l store.Link, renewed time.Time) error {
		got[l.Digest] = l
		if age := time.Since(renewed); age < -time.Hour || age > time.Hour {
			t.Errorf("%s was renewed at %s", l.Digest, renewed)
		}
		return nil
	}))
	if diff := cmp.Diff(links, got); diff != "" {
		t.Errorf("links (-want +got):\n%s", diff)
	}
	enough := errors.New("enough")
	if err := r.WalkLinks(t.Context(), debian, func(store.Link, time.Time) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("a walk that is ended: got error %v, want the one it was ended with", err)
	}
}

func testTagNames(t *testing.T, place Opener) {
	r := registryOf(t, place)
	want := map[string]bool{"v1.0.0": true, "_x": true, "Latest": true, strings.Repeat("a", 128): true, "a-b_c.d": true}
	for name := range want {
		must(t, r.SetTag(t.Context(), debian, name, store.Tag{Digest: digest.FromString(name)}))
	}
	must(t, r.SetTag(t.Context(), debian, "gone", store.Tag{Digest: digest.FromString("x")}))
	must(t, r.DeleteTag(t.Context(), debian, "gone"))
	names, err := registryOf(t, place).TagNames(t.Context(), debian)
	must(t, err)
	got := map[string]bool{}
	for _, name := range names {
		got[name] = true
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	for repository, want := range map[store.Repository]bool{debian: true, {Host: debian.Host, Name: "library"}: false, {Host: "quay.io", Name: debian.Name}: false} {
		known, err := r.Has(t.Context(), repository)
		must(t, err)
		equal(t, "whether "+repository.Host+"/"+repository.Name+" is known", known, want)
	}
	none, err := r.TagNames(t.Context(), store.Repository{Host: debian.Host, Name: "none"})
	must(t, err)
	equal(t, "tags of what is not there", len(none), 0)
}

func testDescriptor(t *testing.T, place Opener) {
	want := store.Link{Digest: digest.FromString("signature"), Manifest: true, Descriptor: `{"annotations":{"a":"b"}}`}
	must(t, place().Link(t.Context(), debian, want))
	got, err := place().Linked(t.Context(), debian, want.Digest)
	must(t, err)
	equal(t, "link", got, want)
}

func testUnlinkUnused(t *testing.T, place Opener) {
	r := registryOf(t, place)
	link := store.Link{Digest: digest.FromString("a"), Effective: debian.Name}
	must(t, r.Link(t.Context(), debian, link))
	if err := r.UnlinkUnused(t.Context(), debian, link.Digest, time.Now().Add(-time.Hour)); !errors.Is(err, store.ErrInUse) {
		t.Errorf("of what is in use: got error %v, want ErrInUse", err)
	}
	got, err := r.Linked(t.Context(), debian, link.Digest)
	must(t, err)
	equal(t, "the link in use", got, link)
	must(t, r.UnlinkUnused(t.Context(), debian, link.Digest, time.Now().Add(time.Hour)))
	if err := r.UnlinkUnused(t.Context(), debian, link.Digest, time.Now().Add(time.Hour)); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("of what is gone: got error %v, want ErrNotFound", err)
	}
	if _, err := registryOf(t, place).Linked(t.Context(), debian, link.Digest); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the link that was not used: got error %v, want ErrNotFound", err)
	}
}

func testWalkRepositories(t *testing.T, place Opener) {
	want := map[store.Repository]bool{
		{Host: "local", Name: "a"}: true, {Host: "local", Name: "a/b"}: true, {Host: "[::1]:5000", Name: strings.Repeat("x", 255)}: true,
		{Host: "local", Name: "a/_referrers/sha256/00"}: true, {Host: "other", Name: "a.b_c/links"}: true,
	}
	tagged := store.Repository{Host: "local", Name: "tagged"}
	r := registryOf(t, place)
	for repository := range want {
		must(t, r.Link(t.Context(), repository, store.Link{Digest: digest.FromString("a")}))
		must(t, r.SetTag(t.Context(), repository, "v1", store.Tag{Digest: digest.FromString("a")}))
	}
	must(t, r.SetTag(t.Context(), tagged, "v1", store.Tag{Digest: digest.FromString("a")}))
	want[tagged] = true
	got := map[store.Repository]bool{}
	must(t, registryOf(t, place).WalkRepositories(t.Context(), func(repository store.Repository) error {
		if got[repository] {
			t.Errorf("%v comes twice", repository)
		}
		got[repository] = true
		return nil
	}))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("repositories (-want +got):\n%s", diff)
	}
}

func testKeep(t *testing.T, place Opener) {
	r := registryOf(t, place)
	d := put(t, r, "abc")
	began := time.Now()
	must(t, r.Keep(t.Context(), d))
	remover, ok := r.(store.Remover)
	if !ok {
		t.Fatal("objects cannot be removed from it")
	}
	if err := remover.Remove(t.Context(), d, began.Add(-time.Second)); !errors.Is(err, store.ErrInUse) {
		t.Errorf("removing what is kept: got error %v, want ErrInUse", err)
	}
	object, err := r.Open(t.Context(), d)
	must(t, err)
	must(t, object.Close())
	must(t, remover.Remove(t.Context(), d, time.Now().Add(time.Hour)))
	if err := r.Keep(t.Context(), d); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("keeping what is gone: got error %v, want ErrNotFound", err)
	}
}

func testGiveTag(t *testing.T, place Opener) {
	const givers = "abcdefgh"
	var given [len(givers)]error
	var group errgroup.Group
	for i := range givers {
		s := registryOf(t, place)
		group.Go(func() error {
			given[i] = s.GiveTag(t.Context(), debian, "v1", store.Tag{Digest: digest.FromString(givers[i : i+1])})
			return nil
		})
	}
	must(t, group.Wait())
	var winner digest.Digest
	for i, err := range given {
		switch {
		case err == nil && winner == "":
			winner = digest.FromString(givers[i : i+1])
		case !errors.Is(err, store.ErrExists):
			t.Errorf("giver %d: got error %v, want ErrExists for all but one", i, err)
		}
	}
	tag, err := registryOf(t, place).Tag(t.Context(), debian, "v1")
	must(t, err)
	equal(t, "the tag", tag.Digest, winner)
	must(t, registryOf(t, place).DeleteTag(t.Context(), debian, "v1"))
	must(t, registryOf(t, place).GiveTag(t.Context(), debian, "v1", store.Tag{Digest: digest.FromString("x")}))
}
