package pullthrough_test

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/store"
)

// unwrittenStore fails what is written into a fill.
type unwrittenStore struct {
	store.Store
	t *testing.T
}

func (s unwrittenStore) Partial(ctx context.Context, d digest.Digest, size int64) (store.Partial, error) {
	p, err := s.Store.Partial(ctx, d, size)
	return unwrittenPartial{p, s.t}, err
}

type unwrittenPartial struct {
	store.Partial
	t *testing.T
}

func (p unwrittenPartial) WriteAt([]byte, int64) (int, error) {
	p.t.Error("the store was written to")
	return 0, errors.ErrUnsupported
}

func TestBlobThatIsTooLargeForTheStoreStreamsThrough(t *testing.T) {
	const size = 1 << 20
	for name, manifestFirst := range map[string]bool{"whose size a manifest says": true, "whose size the upstream says": false} {
		t.Run(name, func(t *testing.T) {
			o := newOrigin(t)
			img := o.pushImage(t, "team/app", "1", size)
			r := start(t, setup{
				upstreams: []string{o.URL}, wrap: func(s store.Store) store.Store { return unwrittenStore{s, t} },
				keeps: func(bytes int64) bool { return bytes < size }, full: func() { t.Error("the store was said to be full") },
			})
			if manifestFirst {
				r.get(t, "team/app/manifests/1").want(t, 200, img.body)
			}
			path := "team/app/blobs/" + img.layer.String()
			r.get(t, path).want(t, 200, img.content)
			r.get(t, path, "Range", "bytes=1000-").want(t, 206, img.content[1000:])
			if leftovers, err := os.ReadDir(r.dir + "/partial"); err != nil || len(leftovers) > 0 {
				t.Errorf("the store still holds %v (%v)", leftovers, err)
			}
		})
	}
}
