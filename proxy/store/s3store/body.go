package s3store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/registryhub/registryhub/proxy/store"
)

// errStalled is the cause of a request that was given up because nothing came.
var errStalled = errors.New("the server stalled: nothing came for too long")

// stallTimer ends a request's context with errStalled.
func stallTimer(cancel context.CancelCauseFunc, after time.Duration) *time.Timer {
	return time.AfterFunc(after, func() { cancel(errStalled) })
}

// idleBody gives a request up when no byte comes for a while. Time that the reader takes between two reads does not count.
type idleBody struct {
	body   io.ReadCloser
	caller context.Context //nolint:containedctx // whose end is not the server's fault; it lasts as long as the body
	bucket *bucket
	cancel context.CancelCauseFunc
	timer  *time.Timer // stopped while nobody reads
}

// Read implements io.Reader. It must not be called concurrently.
func (b *idleBody) Read(p []byte) (int, error) {
	b.timer.Reset(b.bucket.timeouts.Idle)
	n, err := b.body.Read(p)
	b.timer.Stop()
	if err != nil && err != io.EOF { //nolint:errorlint // io.Reader: the end is io.EOF itself; a wrapped one is a broken connection
		err = fmt.Errorf("reading from the bucket: %w", b.bucket.given(b.caller, err))
	}
	return n, err
}

// Close implements io.Closer. What was not read is given up with its connection.
func (b *idleBody) Close() error {
	b.timer.Stop()
	b.cancel(nil)
	return b.body.Close()
}

// exactly reads so many bytes and no fewer.
type exactly struct {
	io.ReadCloser
	left int64
}

// Read implements io.Reader.
func (e *exactly) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n, err := e.ReadCloser.Read(p[:min(int64(len(p)), e.left)])
	e.left -= int64(n)
	if errors.Is(err, io.EOF) && e.left > 0 {
		err = fmt.Errorf("%w: %d bytes are missing: %w", store.ErrFailing, e.left, io.ErrUnexpectedEOF)
	}
	return n, err
}
