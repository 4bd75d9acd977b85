package proxy_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/store"
	"github.com/registryhub/registryhub/proxy/store/fsstore"
)

// TestNamesOfWhatWentAreForgotten holds that a mirror does not keep for ever what it knows of objects that it no longer has.
func TestNamesOfWhatWentAreForgotten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d, app := digest.FromString("gone"), store.Repository{Host: "example.org", Name: "app"}
	s, err := fsstore.Open(dir)
	must(t, err)
	must(t, s.Link(t.Context(), app, store.Link{Digest: d, Effective: app.Name}))
	s.Close()
	link := filepath.Join(dir, "repositories", app.Host, app.Name, "_links", d.Algorithm().String(), d.Encoded())
	old := time.Now().Add(-48 * time.Hour)
	must(t, os.Chtimes(link, old, old))
	r := run(t, newOrigin(t).URL, dir)
	eventually(t, "the link is forgotten", func() bool { _, err := os.Stat(link); return os.IsNotExist(err) })
	r.stop()
	must(t, <-r.ended)
}
