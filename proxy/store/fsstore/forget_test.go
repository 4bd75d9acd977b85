package fsstore_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/store"
	"github.com/registryhub/registryhub/proxy/store/fsstore"
)

func forgetAll(t *testing.T, s *fsstore.Store) int64 {
	t.Helper()
	future := time.Now().Add(time.Hour)
	n, err := s.Forget(t.Context(), future, future)
	must(t, err)
	return n
}

// TestForgettingLeavesNoDirectories holds that repositories which clients made up take no files in the end.
func TestForgettingLeavesNoDirectories(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	s := open(t, root)
	for _, name := range []string{"made/up/one", "made/up/two"} {
		r := store.Repository{Host: "example.org", Name: name}
		d := digest.FromString(name)
		must(t, s.Link(t.Context(), r, store.Link{Digest: d, Effective: name}))
		must(t, s.SetTag(t.Context(), r.Lists(), "referrers:"+d.String(), store.Tag{Digest: d, Effective: name}))
	}
	if n := forgetAll(t, s); n != 4 {
		t.Errorf("%d names forgotten, want 4", n)
	}
	forgetAll(t, s)
	entries, err := os.ReadDir(filepath.Join(root, "repositories"))
	must(t, err)
	if len(entries) > 0 {
		t.Errorf("%d directories are left, the first is %s", len(entries), entries[0].Name())
	}
}

// TestANameThatSaysNothingIsForgotten holds that what nobody can read does not stay for ever.
func TestANameThatSaysNothingIsForgotten(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	s := open(t, root)
	must(t, s.SetTag(t.Context(), store.Repository{Host: "example.org", Name: "app"}, "v1", store.Tag{Digest: digest.FromString("gone"), Effective: "app"}))
	torn := filepath.Join(root, "repositories", "example.org", "app", "_tags", "v1")
	must(t, os.WriteFile(torn, []byte("{"), 0o600))
	if n := forgetAll(t, s); n != 1 {
		t.Errorf("%d names forgotten, want 1", n)
	}
}
