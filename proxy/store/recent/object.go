package recent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/registryhub/registryhub/proxy/store"
)

// object is whole in memory. It is shared by all who open it, none of whom can change it.
type object []byte

var _ store.InMemory = object(nil)

// readObject reads an object into memory and closes it.
func readObject(ctx context.Context, behind store.Object) (_ store.Object, err error) {
	defer func() { err = errors.Join(err, behind.Close()) }()
	section, err := behind.Section(ctx, 0, behind.Size())
	if err != nil {
		return nil, err
	}
	defer section.Close()
	body := make(object, behind.Size())
	if _, err := io.ReadFull(section, body); err != nil {
		return nil, errors.Join(fmt.Errorf("reading %d bytes of an object into memory: %w", len(body), err), store.Recheck(ctx, behind, 0))
	}
	return body, nil
}

// Size implements store.Object.
func (o object) Size() int64 { return int64(len(o)) }

// Bytes implements store.InMemory.
func (o object) Bytes() []byte { return o }

// Section implements store.Reader.
func (o object) Section(_ context.Context, offset, length int64) (io.ReadCloser, error) {
	if offset < 0 || length < 0 {
		return nil, fmt.Errorf("reading %d bytes from byte %d of an object: neither can be negative", length, offset)
	}
	first := min(offset, o.Size())
	return section{bytes.NewReader(o[first:min(first+length, o.Size())])}, nil
}

// Close implements io.Closer.
func (o object) Close() error { return nil }

// section hands its bytes on without a copy between (io.WriterTo).
type section struct{ *bytes.Reader }

func (section) Close() error { return nil }
