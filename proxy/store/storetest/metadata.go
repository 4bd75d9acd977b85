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

var debian = store.Repository{Host: "docker.io", Name: "library/debian"}

func testLinks(t *testing.T, place Opener) {
	links := []store.Link{
		{Digest: digest.FromString("layer"), MediaType: "application/vnd.oci.image.layer.v1.tar+gzip", Effective: debian.Name},
		{Digest: digest.FromString("child"), MediaType: "application/vnd.oci.image.manifest.v1+json", Manifest: true, Effective: "x/x"},
	}
	must(t, place().Link(t.Context(), debian, links...))
	for _, want := range links {
		got, err := place().Linked(t.Context(), debian, want.Digest)
		must(t, err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("link (-want +got):\n%s", diff)
		}
	}
	links[0].Effective = "other"
	must(t, place().Link(t.Context(), debian, links[0]))
	got, err := place().Linked(t.Context(), debian, links[0].Digest)
	must(t, err)
	equal(t, "replaced", got, links[0])

	for _, other := range []store.Repository{{Host: "quay.io", Name: debian.Name}, {Host: debian.Host, Name: "library"}} {
		if _, err := place().Linked(t.Context(), other, links[0].Digest); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the link of another repository: got error %v, want ErrNotFound", err)
		}
	}
}

func testTags(t *testing.T, place Opener) {
	want := store.Tag{
		Digest: digest.FromString("m"), MediaType: "application/vnd.oci.image.index.v1+json",
		Effective: "library/debian", Upstream: "hub", ValidatedAt: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC),
	}
	wantNoTag(t, place(), "12")
	must(t, place().DeleteTag(t.Context(), debian, "12"))
	must(t, place().SetTag(t.Context(), debian, "12", store.Tag{Digest: digest.FromString("old")}))
	must(t, place().SetTag(t.Context(), debian, "12", want))
	got, err := place().Tag(t.Context(), debian, "12")
	must(t, err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tag (-want +got):\n%s", diff)
	}
	wantNoTag(t, place(), "12.1")
	must(t, place().DeleteTag(t.Context(), debian, "12"))
	wantNoTag(t, place(), "12")
}

func testNames(t *testing.T, place Opener) {
	long := strings.Repeat("a", 300)
	repositories := []store.Repository{
		{Host: "h", Name: "a"}, {Host: "h", Name: "a/b"}, {Host: "h", Name: "a/_tags"}, {Host: "h", Name: "a/_links/sha256"},
		{Host: "h", Name: ".."}, {Host: "h", Name: "../../blobs"}, {Host: "..", Name: "a"}, {Host: "", Name: ""},
		{Host: "h", Name: "/"}, {Host: "h", Name: "a//b"}, {Host: "h", Name: "a/."}, {Host: "h", Name: "%2E"}, {Host: "h", Name: "."},
		{Host: "[::1]:5000", Name: "a"}, {Host: "h", Name: long}, {Host: "h", Name: long + "/" + long}, {Host: "h", Name: "a\x00b"},
		{Host: "h", Name: long + "b"}, {Host: "H", Name: "a"}, {Host: "h", Name: "a\\b"},
	}
	tags := []string{"latest", "..", "_links", "../_links/x", "a/b", "", long, ".x"}
	s := place()
	for _, r := range repositories {
		for _, tag := range tags {
			must(t, s.SetTag(t.Context(), r, tag, tagOf(r, tag)))
		}
	}
	for _, r := range repositories {
		for _, tag := range tags {
			got, err := s.Tag(t.Context(), r, tag)
			must(t, err)
			equal(t, r.Host+"/"+r.Name+":"+tag, got, tagOf(r, tag))
		}
	}
}

func tagOf(r store.Repository, tag string) store.Tag {
	return store.Tag{Digest: digest.FromString(r.Host + "\n" + r.Name + "\n" + tag)}
}

func testConcurrent(t *testing.T, place Opener) {
	var group errgroup.Group
	for range 16 {
		s := place()
		group.Go(func() error {
			link := store.Link{Digest: digest.FromString("layer"), Effective: "a"}
			return errors.Join(
				s.Link(t.Context(), debian, link),
				s.Put(t.Context(), prove(t, "data"), []byte("data")),
				s.SetTag(t.Context(), debian, "12", store.Tag{Digest: link.Digest}))
		})
	}
	must(t, group.Wait())
	_, err := place().Tag(t.Context(), debian, "12")
	must(t, err)
	equal(t, "all", read(t, open(t, place(), digest.FromString("data")), 0, 4), "data")
}

func wantNoTag(t *testing.T, s store.Store, tag string) {
	t.Helper()
	if _, err := s.Tag(t.Context(), debian, tag); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("tag %s: got error %v, want ErrNotFound", tag, err)
	}
}
