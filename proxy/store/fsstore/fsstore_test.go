package fsstore_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/registryhub/registryhub/proxy/store"
	"github.com/registryhub/registryhub/proxy/store/fsstore"
	"github.com/registryhub/registryhub/proxy/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Opener {
		t.Helper()
		dir := t.TempDir()
		return func() store.Store { return open(t, dir) }
	})
}

func TestDamagedObjectIsPutAsideAndMissing(t *testing.T) {
	damages := map[string]func(path string, size int64) error{
		"truncated by a byte":  func(path string, size int64) error { return os.Truncate(path, size-1) },
		"truncated to nothing": func(path string, _ int64) error { return os.Truncate(path, 0) },
		"truncated by half":    func(path string, size int64) error { return os.Truncate(path, size/2) },
		"longer":               func(path string, size int64) error { return os.Truncate(path, size+16) },
	}
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s, d := open(t, dir), digest.FromString("some content that is long enough")
			put(t, s, "some content that is long enough")
			path := filepath.Join(dir, "blobs", "sha256", d.Encoded()[:2], d.Encoded())
			info, err := os.Stat(path)
			must(t, err)
			must(t, damage(path, info.Size()))
			if _, err := s.Open(t.Context(), d); !errors.Is(err, store.ErrNotFound) {
				t.Fatalf("opening a damaged object: got error %v, want ErrNotFound", err)
			}
			if _, err := os.Stat(filepath.Join(dir, "quarantine", "sha256-"+d.Encoded())); err != nil {
				t.Errorf("the damaged file is not in quarantine: %v", err)
			}
			put(t, s, "some content that is long enough")
			object, err := s.Open(t.Context(), d)
			must(t, err)
			must(t, object.Close())
		})
	}
}

func TestTornMetadataIsMissing(t *testing.T) {
	dir := t.TempDir()
	s, r := open(t, dir), store.Repository{Host: "docker.io", Name: "library/debian"}
	must(t, s.SetTag(t.Context(), r, "12", store.Tag{Digest: digest.FromString("x")}))
	must(t, os.Truncate(filepath.Join(dir, "repositories/docker.io/library/debian/_tags/12"), 3))
	if _, err := s.Tag(t.Context(), r, "12"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a torn tag: got error %v, want ErrNotFound", err)
	}
}

func TestLeftoversOfACrashAreRemovedButNotThoseOfAPredecessorThatDrains(t *testing.T) {
	content := []byte("an object that is there")
	kept, filled := digest.FromBytes(content), digest.FromString("an object that is not")
	for name, stays := range map[string]bool{
		"tmp/w-x":                              false,
		"partial/" + file(kept):                false, // killed after it had begun to fill what is there
		"partial/" + file(kept) + ".journal":   false, // killed after the rename
		"partial/" + file(filled):              true,
		"partial/" + file(filled) + ".journal": false, // of a fill that is not there
		"partial/lost+found":                   true,
	} {
		for old, age := range map[bool]time.Duration{true: 2 * time.Hour, false: time.Minute} {
			t.Run(fmt.Sprintf("%.25s, old: %t", name, old), func(t *testing.T) {
				dir := t.TempDir()
				proof, err := store.Prove(kept, content)
				must(t, err)
				must(t, open(t, dir).Put(t.Context(), proof, content))
				path, then := filepath.Join(dir, name), time.Now().Add(-age)
				must(t, os.WriteFile(path, nil, 0o600))
				must(t, os.Chtimes(path, then, then))
				open(t, dir)
				if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) != (old && !stays) {
					t.Errorf("it is looked for: %v", err)
				}
			})
		}
	}
}

// file is a digest as names of files have it.
func file(d digest.Digest) string { return strings.Replace(d.String(), ":", "-", 1) }

func TestAnOldFillThatAnotherProcessHasIsNoLeftover(t *testing.T) {
	dir, content := t.TempDir(), []byte("an object that comes twice")
	d := digest.FromBytes(content)
	s := open(t, dir)
	held, err := s.Partial(t.Context(), d, -1)
	must(t, err)
	proof, err := store.Prove(d, content)
	must(t, err)
	must(t, s.Put(t.Context(), proof, content))
	path, then := filepath.Join(dir, "partial", file(d)), time.Now().Add(-2*time.Hour)
	must(t, os.Chtimes(path, then, then))
	open(t, dir)
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the fill is gone: %v", err)
	}
	must(t, held.Discard())
}

func TestNamesStayBelowTheirRepository(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "store")
	s := open(t, dir)
	rapid.Check(t, func(rt *rapid.T) {
		r := store.Repository{Host: rapid.String().Draw(rt, "host"), Name: rapid.String().Draw(rt, "name")}
		if err := s.SetTag(t.Context(), r, rapid.String().Draw(rt, "tag"), store.Tag{Digest: digest.FromString("x")}); err != nil {
			rt.Fatal(err)
		}
	})
	for place, want := range map[string]string{parent: "store", dir: "blobs partial quarantine repositories tmp"} {
		entries, err := os.ReadDir(place)
		must(t, err)
		var names []string
		for _, entry := range entries {
			names = append(names, entry.Name())
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("in %s: got %q, want %q", place, got, want)
		}
	}
}

func TestDirectoryThatCannotBeUsedIsRefusedWithWhatToDo(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o600))
	if _, err := fsstore.Open(filepath.Join(file, "cache")); err == nil || !strings.Contains(err.Error(), "writable") {
		t.Errorf("got error %v, want one that says what to do", err)
	}
}

func open(t *testing.T, dir string) *fsstore.Store {
	t.Helper()
	s, err := fsstore.Open(dir)
	must(t, err)
	t.Cleanup(s.Close)
	return s
}

func put(t *testing.T, s *fsstore.Store, data string) {
	t.Helper()
	proof, err := store.Prove(digest.FromString(data), []byte(data))
	must(t, err)
	must(t, s.Put(t.Context(), proof, []byte(data)))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
