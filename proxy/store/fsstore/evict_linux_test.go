package fsstore_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/store"
	"github.com/registryhub/registryhub/proxy/store/storetest"
)

func TestRemovingMakesRoomOnAFullDisk(t *testing.T) {
	dir, here := storetest.SmallDisk(t, "size=1m,nr_inodes=64")
	if !here {
		return
	}
	s := open(t, dir)
	data := make([]byte, 300_000)
	proof, err := store.Prove(digest.FromBytes(data), data)
	must(t, err)
	before, err := s.Usage(t.Context())
	must(t, err)
	must(t, s.Put(t.Context(), proof, data))
	after, err := s.Usage(t.Context())
	must(t, err)
	if after.Capacity != 1<<20 || after.Inodes != 64 {
		t.Errorf("the disk of 1 MiB and 64 files is said to have %d and %d", after.Capacity, after.Inodes)
	}
	var entries []store.Entry
	must(t, s.Walk(t.Context(), func(e store.Entry) error {
		entries = append(entries, e)
		return nil
	}))
	if len(entries) != 1 || entries[0].Size != after.Used-before.Used {
		t.Errorf("an object that took %d bytes of the disk is listed as %+v", after.Used-before.Used, entries)
	}
	must(t, s.Remove(t.Context(), proof.Digest(), time.Now().Add(time.Minute)))
	again, err := s.Usage(t.Context())
	must(t, err)
	if again.Used != before.Used {
		t.Errorf("%d bytes are taken after the removal, want %d", again.Used, before.Used)
	}
}

func TestAHitTouchesAtMostHourly(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	put(t, s, "data")
	d := digest.FromString("data")
	path := filepath.Join(dir, "blobs", "sha256", d.Encoded()[:2], d.Encoded())
	for age, touched := range map[time.Duration]bool{59 * time.Minute: false, 61 * time.Minute: true, -time.Hour: false} {
		at := time.Now().Add(-age)
		must(t, os.Chtimes(path, at, at))
		object, err := s.Open(t.Context(), d)
		must(t, err)
		must(t, object.Close())
		info, err := os.Stat(path)
		must(t, err)
		if got := !info.ModTime().Equal(at); got != touched {
			t.Errorf("opened after %s: touched %v, want %v", age, got, touched)
		}
	}
}

func TestClosingTwiceUnpinsOnce(t *testing.T) {
	s := open(t, t.TempDir())
	put(t, s, "data")
	d := digest.FromString("data")
	first, err := s.Open(t.Context(), d)
	must(t, err)
	second, err := s.Open(t.Context(), d)
	must(t, err)
	must(t, first.Close())
	_ = first.Close()
	if err := s.Remove(t.Context(), d, time.Now().Add(time.Minute)); !errors.Is(err, store.ErrInUse) {
		t.Errorf("removing what a second reader reads: got error %v, want ErrInUse", err)
	}
	section, err := second.Section(t.Context(), 0, 4)
	must(t, err)
	if body, err := io.ReadAll(section); err != nil || string(body) != "data" {
		t.Errorf("the second reader got %q, error %v", body, err)
	}
	must(t, second.Close())
	must(t, s.Remove(t.Context(), d, time.Now().Add(time.Minute)))
}
