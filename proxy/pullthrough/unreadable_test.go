package pullthrough_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/store"
	"github.com/registryhub/registryhub/proxy/store/recent"
)

// rottenStore has a disk that does not give one object back from some byte on, which is not seen when it is opened.
type rottenStore struct {
	store.Store
	rot atomic.Pointer[rot] // nil while the disk is well
}

type rot struct {
	path     string
	content  []byte // of the file
	readable int64
}

func (s *rottenStore) Open(ctx context.Context, d digest.Digest) (store.Object, error) {
	rot := s.rot.Load()
	if rot == nil || !rot.heal() {
		return s.Store.Open(ctx, d)
	}
	object, err := s.Store.Open(ctx, d)
	return object, errors.Join(err, os.Truncate(rot.path, rot.readable))
}

// heal makes the file whole, if it is still there.
func (r *rot) heal() bool {
	file, err := os.OpenFile(r.path, os.O_WRONLY, 0)
	if err != nil {
		return false
	}
	_, err = file.Write(r.content)
	return errors.Join(err, file.Close()) == nil
}

// Partial begins a file elsewhere on the disk.
func (s *rottenStore) Partial(ctx context.Context, d digest.Digest, size int64) (store.Partial, error) {
	p, err := s.Store.Partial(ctx, d, size)
	if err == nil {
		s.rot.Store(nil)
	}
	return p, err
}

func TestObjectThatCannotBeReadIsFetchedAgain(t *testing.T) {
	for name, tc := range map[string]struct{ size, readable, got int }{
		"a large one, of which a client gets the beginning": {1 << 20, 500_000, 500_000},
		"a small one, which is read before it is sent":      {1000, 500, 1000},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOrigin(t)
			img := o.pushImage(t, "team/app", "1", tc.size)
			rotten := &rottenStore{}
			r := start(t, setup{upstreams: []string{o.URL}, wrap: func(s store.Store) store.Store {
				rotten.Store = s
				return recent.New(rotten, recent.Options{})
			}})
			path := "team/app/blobs/" + img.layer.String()
			r.get(t, path).want(t, 200, img.content)
			r.settle(t, img.layer)
			file := filepath.Join(r.dir, "blobs", "sha256", img.layer.Encoded()[:2], img.layer.Encoded())
			content, err := os.ReadFile(file)
			must(t, err)
			rotten.rot.Store(&rot{file, content, int64(tc.readable)})

			if got := r.get(t, path); got.StatusCode != http.StatusOK || len(got.body) != tc.got {
				t.Fatalf("got %d, %d bytes, error %v, want %d bytes", got.StatusCode, len(got.body), got.err, tc.got)
			}
			r.get(t, path, "Range", fmt.Sprintf("bytes=%d-", tc.readable)).want(t, 206, img.content[tc.readable:])
			r.get(t, path).want(t, 200, img.content)
			if told := r.events.with("damaged object put aside"); len(told) != 1 {
				t.Errorf("it was said %d times that an object is damaged, want once: %v", len(told), told)
			}
		})
	}
}
