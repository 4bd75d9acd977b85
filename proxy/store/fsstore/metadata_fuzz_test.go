package fsstore

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/store"
)

// FuzzMetadata has a disk lose its mind: what is no link or tag is not there, so that it is fetched and written anew.
func FuzzMetadata(f *testing.F) {
	d := digest.FromString("x")
	for _, seed := range []string{
		"", "null", "{}", "[]", `{"Digest":"` + d.String() + `","MediaType":"a/b","Size":1}`, `{"digest":"` + d.String() + `"}`,
		`{"Digest":"sha256:00"}`, `{"Digest":"../../x:y"}`, `{"Digest":7}`, "\x00\x00\x00\x00",
	} {
		f.Add([]byte(seed))
	}
	s, err := Open(f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	r := store.Repository{Host: "h", Name: "a"}
	paths := []string{s.linkPath(r, d), s.tagPath(r, "1")}
	for _, path := range paths {
		if err := os.MkdirAll(filepath.Dir(path), dirMode); err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		for _, path := range paths {
			if err := os.WriteFile(path, content, fileMode); err != nil {
				t.Fatal(err)
			}
		}
		link, err := s.Linked(t.Context(), r, d)
		if err == nil && link.Digest != d || err != nil && !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%q is the link %+v, error %v", content, link, err)
		}
		tag, err := s.Tag(t.Context(), r, "1")
		if err == nil && tag.Digest.Validate() != nil || err != nil && !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%q is the tag %+v, error %v", content, tag, err)
		}
	})
}
