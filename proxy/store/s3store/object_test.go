package s3store_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/store"
)

var debian = store.Repository{Host: "docker.io", Name: "library/debian"}

func TestLargeObjectIsUploadedInPartsAndReadInAnyRange(t *testing.T) {
	p := newPlace(t)
	data := large(33<<20 + 5)
	commit(t, p.open(t), data)
	object, err := p.elsewhere(t).open(t).Open(t.Context(), digest.FromBytes(data))
	must(t, err)
	for name, span := range map[string][2]int{
		"all":                                 {0, len(data)},
		"the beginning":                       {0, 100},
		"over the end of what came with Open": {64<<10 - 7, 20},
		"over the end of a part":              {16<<20 - 3, 6},
		"the end":                             {len(data) - 5, 5},
		"nothing":                             {len(data), 0},
	} {
		section, err := object.Section(t.Context(), int64(span[0]), int64(span[1]))
		must(t, err)
		got, err := io.ReadAll(section)
		must(t, err)
		must(t, section.Close())
		if !bytes.Equal(got, data[span[0]:span[0]+span[1]]) {
			t.Errorf("%s: other bytes than were written", name)
		}
	}
	must(t, object.Close())
	if left, err := filepath.Glob(server.File(p.bucket, ".sgwtmp/multipart/*/*")); err != nil || len(left) > 0 {
		t.Errorf("uploads that did not end: %v (%v)", left, err)
	}
}

func TestReplicasOnOneBucketSeeEachOthersObjects(t *testing.T) {
	p := newPlace(t)
	one, two := p.open(t), p.elsewhere(t).open(t)
	data := []byte("a layer")
	d := digest.FromBytes(data)
	first, err := one.Partial(t.Context(), d, -1)
	must(t, err)
	second, err := two.Partial(t.Context(), d, -1)
	must(t, err) // each replica has a fill of its own
	for _, partial := range []store.Partial{first, second} {
		_, err = partial.WriteAt(data, 0)
		must(t, err)
		must(t, partial.Commit(t.Context(), prove(t, data)))
	}
	must(t, one.Link(t.Context(), debian, store.Link{Digest: d, Effective: debian.Name}))
	must(t, one.SetTag(t.Context(), debian, "12", store.Tag{Digest: d}))
	want(t, two, data)
	if link, err := two.Linked(t.Context(), debian, d); err != nil || link.Effective != debian.Name {
		t.Errorf("the other replica's link: %v, %v", link, err)
	}
	if tag, err := two.Tag(t.Context(), debian, "12"); err != nil || tag.Digest != d {
		t.Errorf("the other replica's tag: %v, %v", tag, err)
	}
	if _, err := two.Partial(t.Context(), d, -1); !errors.Is(err, store.ErrExists) {
		t.Errorf("filling what the other replica has: got error %v, want ErrExists", err)
	}
}

func TestObjectThatTheServerCutOffIsRemovedAndMissing(t *testing.T) {
	damages := map[string]func(path string) error{
		"truncated by a byte":  func(path string) error { return os.Truncate(path, 9) },
		"truncated to nothing": func(path string) error { return os.Truncate(path, 0) },
		"longer":               func(path string) error { return os.Truncate(path, 11) },
	}
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			s := p.open(t)
			d := put(t, s, "0123456789")
			must(t, damage(p.file(d)))
			for _, wanted := range []error{store.ErrDamaged, store.ErrNotFound} {
				if _, err := s.Open(t.Context(), d); !errors.Is(err, store.ErrNotFound) || !errors.Is(err, wanted) {
					t.Errorf("opening it: got error %v, want %v", err, wanted)
				}
			}
			put(t, s, "0123456789")
			want(t, s, []byte("0123456789"))
		})
	}
}

func TestReaderOfAFillThatBeginsAfterItsEndReadsFromTheBucket(t *testing.T) {
	s := newPlace(t).open(t)
	data := []byte("a layer")
	partial, err := s.Partial(t.Context(), digest.FromBytes(data), -1)
	must(t, err)
	_, err = partial.WriteAt(data, 0)
	must(t, err)
	must(t, partial.Commit(t.Context(), prove(t, data)))
	reader, err := partial.Reader(t.Context())
	must(t, err)
	section, err := reader.Section(t.Context(), 2, 5)
	must(t, err)
	if got, err := io.ReadAll(section); err != nil || string(got) != "layer" {
		t.Errorf("got %q, %v", got, err)
	}
	must(t, errors.Join(section.Close(), reader.Close()))
}

func large(size int) []byte {
	data := make([]byte, size)
	source := rand.NewChaCha8([32]byte{})
	_, _ = source.Read(data) // never fails
	return data
}

func prove(t *testing.T, data []byte) store.Proof {
	t.Helper()
	proof, err := store.Prove(digest.FromBytes(data), data)
	must(t, err)
	return proof
}

// commit fills and commits an object.
func commit(t *testing.T, s store.Store, data []byte) {
	t.Helper()
	partial, err := s.Partial(t.Context(), digest.FromBytes(data), -1)
	must(t, err)
	_, err = partial.WriteAt(data, 0)
	must(t, err)
	must(t, partial.Commit(t.Context(), prove(t, data)))
}

// want reads an object from end to end.
func want(t *testing.T, s store.Store, data []byte) {
	t.Helper()
	object, err := s.Open(t.Context(), digest.FromBytes(data))
	must(t, err)
	section, err := object.Section(t.Context(), 0, object.Size())
	must(t, err)
	got, err := io.ReadAll(section)
	must(t, errors.Join(err, section.Close(), object.Close()))
	if !bytes.Equal(got, data) {
		t.Errorf("got %d bytes that are not the %d that were written", len(got), len(data))
	}
}

// file is where an object lies on the server.
func (p place) file(d digest.Digest) string { return p.below("blobs", d) }

// mark is where its mark does.
func (p place) mark(d digest.Digest) string { return p.below("used", d) }

func (p place) below(folder string, d digest.Digest) string {
	return server.File(p.bucket, filepath.Join("hubs/docker-io", folder, d.Algorithm().String(), d.Encoded()[:2], d.Encoded()))
}
