package fsstore_test

import (
	"errors"
	"os"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/store"
)

func TestObjectThatCannotBeReadIsPutAside(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	const data = "0123456789"
	put(t, s, data)
	d := digest.FromString(data)
	object, err := s.Open(t.Context(), d)
	must(t, err)
	must(t, store.Recheck(t.Context(), object, 0))
	must(t, os.Truncate(blob(dir, d), 6))
	if err := store.Recheck(t.Context(), object, 4); !errors.Is(err, store.ErrDamaged) || !errors.Is(err, store.ErrNotFound) {
		t.Errorf("got error %v, want ErrDamaged and ErrNotFound", err)
	}
	if _, err := os.Stat(aside(dir, d)); err != nil {
		t.Errorf("it is not in quarantine: %v", err)
	}
	put(t, s, data)
	if err := store.Recheck(t.Context(), object, 4); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("who reads the damaged one still: got error %v, want ErrDamaged", err)
	}
	must(t, object.Close())
	whole, err := s.Open(t.Context(), d)
	must(t, err)
	must(t, whole.Close())
}
