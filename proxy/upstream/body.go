package upstream

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"
)

// errStalled is the cause of a transfer that was broken off because nothing came.
var errStalled = errors.New("the upstream stalled: nothing came for too long")

// stallTimer ends a request's context with errStalled.
func stallTimer(cancel context.CancelCauseFunc, after time.Duration) *time.Timer {
	return time.AfterFunc(after, func() { cancel(errStalled) })
}

// idleBody breaks a transfer off when no byte comes for a while. Time that the reader takes between two reads does not
// count.
type idleBody struct {
	resp    *http.Response
	cancel  context.CancelCauseFunc
	timer   *time.Timer // Stopped while nobody reads.
	timeout time.Duration
}

// Read implements io.Reader. It must not be called concurrently.
func (b *idleBody) Read(p []byte) (int, error) {
	b.timer.Reset(b.timeout)
	n, err := b.resp.Body.Read(p)
	b.timer.Stop()
	if err != nil && err != io.EOF { //nolint:errorlint // io.Reader: the end is io.EOF itself; a wrapped one is a broken connection.
		err = transportError(b.resp.Request, err)
	}
	return n, err
}

// Close implements io.Closer. What was not read is given up with its connection.
func (b *idleBody) Close() error {
	b.cancel(nil)
	return b.resp.Body.Close()
}

// spanBody throws the first skip bytes away and then holds exactly left bytes, or all that come where left is -1.
type spanBody struct {
	inner *idleBody
	skip  int64
	left  int64
}

// Read implements io.Reader.
func (b *spanBody) Read(p []byte) (int, error) {
	if b.skip > 0 {
		skipped, err := io.CopyN(io.Discard, b.inner, b.skip)
		b.skip -= skipped
		if err != nil {
			return 0, b.early(err)
		}
	}
	if b.left == 0 {
		return 0, io.EOF
	}
	if b.left > 0 && int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.inner.Read(p)
	if b.left > 0 {
		b.left -= int64(n)
	}
	if b.left > 0 || b.skip > 0 {
		err = b.early(err)
	}
	return n, err
}

// early is the error of a body that has ended before its length.
func (b *spanBody) early(err error) error {
	if err != io.EOF { //nolint:errorlint // As above.
		return err
	}
	return &UnreachableError{Where: whereOf(b.inner.resp.Request), Err: io.ErrUnexpectedEOF}
}

// Close implements io.Closer.
func (b *spanBody) Close() error { return b.inner.Close() }
