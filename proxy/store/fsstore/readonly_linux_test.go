package fsstore_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

	"github.com/registryhub/registryhub/proxy/store"
	"github.com/registryhub/registryhub/proxy/store/fsstore"
	"github.com/registryhub/registryhub/proxy/store/storetest"
)

func TestReadOnlyDiskIsServedFromAndWritingFails(t *testing.T) {
	dir, here := storetest.SmallDisk(t, "size=1m")
	if !here {
		return
	}
	repository := store.Repository{Host: "docker.io", Name: "library/debian"}
	tag := store.Tag{Digest: digest.FromString("kept")}
	first := open(t, dir)
	put(t, first, "kept")
	put(t, first, "damaged")
	must(t, first.SetTag(t.Context(), repository, "12", tag))
	must(t, first.Probe(t.Context()))
	must(t, os.Truncate(blob(dir, digest.FromString("damaged")), 3))
	leftover := filepath.Join(dir, "tmp", "w-old")
	must(t, os.WriteFile(leftover, nil, 0o600))
	longAgo := time.Now().Add(-2 * time.Hour)
	must(t, os.Chtimes(leftover, longAgo, longAgo))
	remount(t, dir, true)

	for name, s := range map[string]*fsstore.Store{"opened before": first, "opened since": open(t, dir)} {
		t.Run(name, func(t *testing.T) {
			object, err := s.Open(t.Context(), digest.FromString("kept"))
			must(t, err)
			must(t, object.Close())
			got, err := s.Tag(t.Context(), repository, "12")
			must(t, err)
			if got != tag {
				t.Errorf("tag: got %v, want %v", got, tag)
			}
			proof, err := store.Prove(digest.FromString("new"), []byte("new"))
			must(t, err)
			_, partial := s.Partial(t.Context(), digest.FromString("new"), 3)
			_, damaged := s.Open(t.Context(), digest.FromString("damaged"))
			for what, err := range map[string]error{
				"a probe":          s.Probe(t.Context()),
				"a put":            s.Put(t.Context(), proof, []byte("new")),
				"a fill":           partial,
				"a link":           s.Link(t.Context(), repository, store.Link{Digest: tag.Digest}),
				"a tag":            s.SetTag(t.Context(), repository, "13", tag),
				"a tag's end":      s.DeleteTag(t.Context(), repository, "12"),
				"a removal":        s.Remove(t.Context(), tag.Digest, time.Now().Add(time.Hour)),
				"a damaged object": damaged,
			} {
				if !errors.Is(err, store.ErrFailing) || errors.Is(err, store.ErrNotFound) {
					t.Errorf("%s: got error %v, want ErrFailing", what, err)
				}
			}
		})
	}
	remount(t, dir, false)
	must(t, first.Probe(t.Context()))
	if _, err := os.Stat(leftover); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what a crash left is still there: %v", err)
	}
	put(t, first, "new")
}

func TestReadOnlyDirectoryThatIsNoStoreIsRefused(t *testing.T) {
	dir, here := storetest.SmallDisk(t, "size=1m,ro")
	if !here {
		return
	}
	if _, err := fsstore.Open(dir); !errors.Is(err, store.ErrFailing) {
		t.Errorf("got error %v, want ErrFailing", err)
	}
}

func TestProbeOfAFullDisk(t *testing.T) {
	dir, here := storetest.SmallDisk(t, "size=64k")
	if !here {
		return
	}
	s := open(t, dir)
	p, err := s.Partial(t.Context(), digest.FromString("large"), -1)
	must(t, err)
	for at := int64(0); err == nil; at += 4096 {
		_, err = p.WriteAt(make([]byte, 4096), at)
	}
	if err := s.Probe(t.Context()); !errors.Is(err, store.ErrNoSpace) {
		t.Errorf("got error %v, want ErrNoSpace", err)
	}
	must(t, p.Discard())
	must(t, s.Probe(t.Context()))
	if left, err := os.ReadDir(filepath.Join(dir, "tmp")); err != nil || len(left) > 0 {
		t.Errorf("the probes left %v (%v)", left, err)
	}
}

func remount(t *testing.T, dir string, readOnly bool) {
	t.Helper()
	flags := uintptr(unix.MS_REMOUNT)
	if readOnly {
		flags |= unix.MS_RDONLY
	}
	must(t, unix.Mount("", dir, "", flags, ""))
}
