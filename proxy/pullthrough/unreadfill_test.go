package pullthrough_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/store"
)

// forgetfulStore does not give back a byte of a fill to who reads it on the way from the beginning.
type forgetfulStore struct {
	store.Store
	forgets *atomic.Bool
}

const forgotten = 100_000

func (s forgetfulStore) Partial(ctx context.Context, d digest.Digest, size int64) (store.Partial, error) {
	p, err := s.Store.Partial(ctx, d, size)
	if err == nil && s.forgets.Load() {
		p = forgetfulPartial{p}
	}
	return p, err
}

type forgetfulPartial struct{ store.Partial }

func (p forgetfulPartial) Reader(ctx context.Context) (store.Reader, error) {
	r, err := p.Partial.Reader(ctx)
	return forgetfulReader{r}, err
}

type forgetfulReader struct{ store.Reader }

func (r forgetfulReader) Section(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
	if offset > forgotten || offset+length <= forgotten {
		return r.Reader.Section(ctx, offset, length)
	}
	s, err := r.Reader.Section(ctx, offset, forgotten-offset)
	return forgetfulSection{s}, err
}

type forgetfulSection struct{ io.ReadCloser }

func (s forgetfulSection) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		err = &os.PathError{Op: "read", Path: "partial", Err: syscall.EIO}
	}
	return n, err
}

func TestFillThatCannotBeReadStreamsThrough(t *testing.T) {
	o := newOrigin(t)
	img := o.pushImage(t, "team/app", "1", 1<<20)
	var forgets atomic.Bool
	r := start(t, setup{upstreams: []string{o.URL}, wrap: func(s store.Store) store.Store { return forgetfulStore{s, &forgets} }})
	r.get(t, "team/app/manifests/1").want(t, 200, img.body)
	path := "team/app/blobs/" + img.layer.String()
	o.fail(cutOnceThen(status(http.StatusBadGateway)))
	if cut := r.get(t, path); cut.err == nil {
		t.Fatalf("got %d and all %d bytes, want a body that is cut", cut.StatusCode, len(cut.body))
	}
	o.heal()
	forgets.Store(true)
	r.get(t, path, "Range", "bytes=900000-").want(t, 206, img.content[900_000:])
	if len(r.events.with("store failed")) == 0 {
		t.Error("nothing was said of it")
	}
	forgets.Store(false)
	r.get(t, path).want(t, 200, img.content)
	r.settle(t, img.layer)
}
