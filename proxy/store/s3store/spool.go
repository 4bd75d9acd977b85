package s3store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/registryhub/registryhub/proxy/store"
)

// maxSpools bounds what all uploads of a process take of its scratch space at a time, to a part each.
const maxSpools = 64

// spoolsIn is how many parts scratch space has room for.
func spoolsIn(bytes int64) int64 {
	if bytes <= 0 {
		return maxSpools
	}
	return max(1, min(maxSpools, bytes/partSize))
}

// spool is a part of what is pushed, on scratch space until it is in the bucket.
type spool struct {
	file    *os.File
	size    int64
	release func()
}

// spool takes a part of what a reader has, when there is room for it. One that is not full is the last.
func (r *Registry) spool(ctx context.Context, from io.Reader) (*spool, error) {
	select {
	case r.spools <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	release := func() { <-r.spools }
	file, err := r.scratch.Temporary()
	if err != nil {
		release()
		return nil, fmt.Errorf("making a file on scratch space: %w", ofScratch(err))
	}
	p := &spool{file: file, release: release}
	p.size, err = io.Copy(writing{file}, io.LimitReader(from, partSize))
	if err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

// writing tells errors of scratch space from those of what is written to it.
type writing struct{ file *os.File }

func (w writing) Write(p []byte) (int, error) {
	n, err := w.file.Write(p)
	if err != nil {
		err = fmt.Errorf("%w: writing to scratch space: %w", store.ErrFailing, err)
	}
	return n, err
}

func (p *spool) full() bool { return p.size == partSize }

func (p *spool) close() error {
	defer p.release()
	return p.file.Close()
}

// Reader implements source.
func (p *spool) Reader(context.Context) (store.Reader, error) { return spoolReader{p.file}, nil }

// spoolReader reads a spool, which its owner closes.
type spoolReader struct{ from io.ReaderAt }

// Section implements store.Reader.
func (s spoolReader) Section(_ context.Context, offset, length int64) (io.ReadCloser, error) {
	return io.NopCloser(io.NewSectionReader(s.from, offset, length)), nil
}

// Close implements store.Reader.
func (spoolReader) Close() error { return nil }
