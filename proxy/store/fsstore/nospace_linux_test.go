package fsstore_test

import (
	"errors"
	"io"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/store"
	"github.com/registryhub/registryhub/proxy/store/storetest"
)

func TestFullDiskIsErrNoSpaceAndWhatIsThereStays(t *testing.T) {
	dir, here := storetest.SmallDisk(t, "size=256k")
	if !here {
		return
	}
	s := open(t, dir)
	put(t, s, "kept")

	p, err := s.Partial(t.Context(), digest.FromString("large"), -1)
	must(t, err)
	written := 0
	for err == nil {
		var n int
		n, err = p.WriteAt(make([]byte, 100_000), int64(written))
		written += n
	}
	if !errors.Is(err, store.ErrNoSpace) || written == 0 {
		t.Errorf("filling a full disk: got error %v after %d bytes, want ErrNoSpace", err, written)
	}
	r, err := p.Reader(t.Context())
	must(t, err)
	section, err := r.Section(t.Context(), 0, int64(written))
	must(t, err)
	if n, err := io.Copy(io.Discard, section); err != nil || n != int64(written) {
		t.Errorf("reading what was written: got %d bytes of %d, error %v", n, written, err)
	}
	must(t, section.Close())

	data := make([]byte, 100_000)
	proof, err := store.Prove(digest.FromBytes(data), data)
	must(t, err)
	if err := s.Put(t.Context(), proof, data); !errors.Is(err, store.ErrNoSpace) {
		t.Errorf("putting on a full disk: got error %v, want ErrNoSpace", err)
	}
	must(t, r.Close())
	must(t, p.Discard())
	must(t, s.Put(t.Context(), proof, data))
	object, err := s.Open(t.Context(), digest.FromString("kept"))
	must(t, err)
	must(t, object.Close())
}
