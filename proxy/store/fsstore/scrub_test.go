package fsstore_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/store"
)

func unpaced(context.Context, int64) error { return nil }

func blob(dir string, d digest.Digest) string {
	return filepath.Join(dir, "blobs", d.Algorithm().String(), d.Encoded()[:2], d.Encoded())
}

func aside(dir string, d digest.Digest) string {
	return filepath.Join(dir, "quarantine", d.Algorithm().String()+"-"+d.Encoded())
}

// flip changes a byte of a file, counted from its end when negative.
func flip(path string, at int64) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	data[(at+int64(len(data)))%int64(len(data))] ^= 1
	return os.WriteFile(path, data, 0o600)
}

func TestScrubPutsAsideWhatIsDamaged(t *testing.T) {
	content := string(make([]byte, 600<<10))
	damages := map[string]func(path string) error{
		"its first byte":          func(path string) error { return flip(path, 0) },
		"a byte of a later piece": func(path string) error { return flip(path, 500<<10) },
		"its last byte":           func(path string) error { return flip(path, -17) },
		"its trailer":             func(path string) error { return flip(path, -1) },
		"truncated":               func(path string) error { return os.Truncate(path, 300<<10) },
		"truncated to nothing":    func(path string) error { return os.Truncate(path, 0) },
		"longer":                  func(path string) error { return os.Truncate(path, 700<<10) },
		"what the disk does not give": func(path string) error {
			return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) // reading a directory fails, as a bad sector does
		},
	}
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s, d := open(t, dir), digest.FromString(content)
			put(t, s, content)
			must(t, damage(blob(dir, d)))
			if _, err := s.Scrub(t.Context(), d, unpaced); !errors.Is(err, store.ErrDamaged) || !errors.Is(err, store.ErrNotFound) {
				t.Fatalf("scrubbing: got error %v, want ErrDamaged and ErrNotFound", err)
			}
			if _, err := os.Stat(aside(dir, d)); err != nil {
				t.Errorf("it is not in quarantine: %v", err)
			}
			if _, err := s.Open(t.Context(), d); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("opening it: got error %v, want ErrNotFound", err)
			}
			put(t, s, content)
			_, err := s.Scrub(t.Context(), d, unpaced)
			must(t, err)
		})
	}
}

func TestWhatReplacedADamagedObjectIsNotPutAside(t *testing.T) {
	dir := t.TempDir()
	s, d := open(t, dir), digest.FromString("0123456789")
	put(t, s, "0123456789")
	must(t, flip(blob(dir, d), 0))
	_, err := s.Scrub(t.Context(), d, func(context.Context, int64) error {
		put(t, s, "0123456789")
		return nil
	})
	if !errors.Is(err, store.ErrDamaged) {
		t.Errorf("got error %v, want ErrDamaged", err)
	}
	object, err := s.Open(t.Context(), d)
	must(t, err)
	must(t, object.Close())
}

func TestQuarantineIsBounded(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	old := aside(dir, digest.FromString("old"))
	must(t, os.WriteFile(old, nil, 0o600))
	at := time.Now().Add(-31 * 24 * time.Hour)
	must(t, os.Chtimes(old, at, at))
	for i := range 70 {
		path := aside(dir, digest.FromString(strconv.Itoa(i)))
		must(t, os.WriteFile(path, nil, 0o600))
		at := time.Now().Add(time.Duration(i-100) * time.Hour)
		must(t, os.Chtimes(path, at, at))
	}
	must(t, s.Tidy(t.Context()))
	if _, err := os.Stat(old); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the old one is still there: %v", err)
	}
	for i, want := range map[int]bool{5: false, 6: true, 69: true} {
		_, err := os.Stat(aside(dir, digest.FromString(strconv.Itoa(i))))
		if got := err == nil; got != want {
			t.Errorf("number %d of 70 is kept: %v, want %v", i, got, want)
		}
	}

	put(t, s, "0123456789")
	d := digest.FromString("0123456789")
	longAgo := time.Now().Add(-90 * 24 * time.Hour) // when it was last used says nothing of its damage
	must(t, os.Truncate(blob(dir, d), 3))
	must(t, os.Chtimes(blob(dir, d), longAgo, longAgo))
	if _, err := s.Open(t.Context(), d); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("opening: got error %v, want ErrDamaged", err)
	}
	if _, err := os.Stat(aside(dir, d)); err != nil {
		t.Errorf("the youngest is not kept: %v", err)
	}
	if _, err := os.Stat(aside(dir, digest.FromString("6"))); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("one too many is kept: %v", err)
	}
}
