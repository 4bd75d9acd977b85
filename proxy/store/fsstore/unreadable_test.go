package fsstore_test

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"

	"github.com/opencontainers/go-digest"
)

func TestWhatCannotBeReadForAMomentIsNotPutAside(t *testing.T) {
	const content = "content"
	dir := t.TempDir()
	s, d := open(t, dir), digest.FromString(content)
	put(t, s, content)
	path := blob(dir, d)
	must(t, errors.Join(os.Rename(path, path+".away"), os.Mkdir(path, 0o700))) // reading a directory fails
	back := sync.OnceValue(func() error { return errors.Join(os.Remove(path), os.Rename(path+".away", path)) })
	size, err := s.Scrub(t.Context(), d, func(context.Context, int64) error { return back() })
	if err != nil || size != int64(len(content)) {
		t.Errorf("scrubbing: got %d bytes, error %v, want %d", size, err, len(content))
	}
}
