package proxy

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// connection is one of a client. Its writes go on for as long as the client takes something.
type connection struct {
	*net.TCPConn
	// surplus says that it is over the limit: it is told so, and closed.
	surplus bool
	stalled time.Duration
	onStall func()
	onClose func()
	turn    turn
	// until is when writes end whatever was taken, in nanoseconds of the Unix epoch; 0 is never.
	until atomic.Int64

	mu sync.Mutex
	// held is what was written since hold; nil while writes go out.
	held *[]byte
}

// hold has writes wait for release, or for more than there is room for.
func (c *connection) hold() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held == nil {
		c.held = rooms.Get().(*[]byte)
	}
}

// release writes what was held.
func (c *connection) release() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.releaseLocked()
}

func (c *connection) releaseLocked() error {
	if c.held == nil {
		return nil
	}
	held := c.held
	c.held = nil
	_, err := c.writeNow(*held)
	*held = (*held)[:0]
	rooms.Put(held)
	return err
}

// take holds bytes if writes wait. A connection is written to by its handler, but TLS has things to say at any time.
func (c *connection) take(p []byte) (taken bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held == nil {
		return false, nil
	}
	if len(*c.held)+len(p) <= cap(*c.held) {
		*c.held = append(*c.held, p...)
		return true, nil
	}
	return false, c.releaseLocked()
}

// SetWriteDeadline implements net.Conn. TLS sets one for the last it has to say, which nobody may be there to take.
func (c *connection) SetWriteDeadline(t time.Time) error {
	if t.IsZero() {
		c.until.Store(0)
	} else {
		c.until.Store(t.UnixNano())
	}
	return c.TCPConn.SetWriteDeadline(t)
}

// writesEnd is when a write ends of which nothing was taken, and whether that is because there is no more time at all.
func (c *connection) writesEnd() (deadline time.Time, final bool) {
	deadline = time.Now().Add(c.stalled)
	if until := c.until.Load(); until != 0 && until < deadline.UnixNano() {
		return time.Unix(0, until), true
	}
	return deadline, false
}

// Write implements net.Conn.
func (c *connection) Write(p []byte) (int, error) {
	taken, err := c.take(p)
	switch {
	case err != nil:
		return 0, err
	case taken:
		return len(p), nil
	default:
		return c.writeNow(p)
	}
}

func (c *connection) writeNow(p []byte) (written int, err error) {
	err = c.whileTaken(func() (int64, error) {
		n, err := c.TCPConn.Write(p[written:])
		written += n
		c.turn.took(int64(n))
		return int64(n), err
	})
	return written, err
}

// ReadFrom implements io.ReaderFrom. The kernel sends what is a part of a file.
func (c *connection) ReadFrom(r io.Reader) (written int64, err error) {
	if err := c.release(); err != nil {
		return 0, err
	}
	whole, _ := r.(*io.LimitedReader)
	file, ok := fileOf(whole)
	if !ok {
		return io.Copy(struct{ io.Writer }{c}, r)
	}
	for more := true; more && err == nil; {
		part := &io.LimitedReader{R: file, N: min(whole.N, c.turn.left())}
		var n int64
		n, err = c.send(file, part)
		written += n
		whole.N -= n
		more = part.N == 0 && whole.N > 0 // else the file has ended
		c.turn.took(n)
	}
	return written, err
}

// send has the kernel send a part of a file.
func (c *connection) send(file *os.File, part *io.LimitedReader) (written int64, err error) {
	err = c.whileTaken(func() (int64, error) {
		before := part.N
		n, err := c.TCPConn.ReadFrom(part)
		written += n
		if unsent := before - part.N - n; unsent > 0 { // the kernel did not send it, and more was read than was sent
			part.N += unsent
			_, failed := file.Seek(-unsent, io.SeekCurrent)
			err = errors.Join(err, failed)
		}
		return n, err
	})
	return written, err
}

func fileOf(part *io.LimitedReader) (*os.File, bool) {
	if part == nil {
		return nil, false
	}
	file, ok := part.R.(*os.File)
	return file, ok
}

// whileTaken tries again when it was stopped by the time-out and yet something was sent.
func (c *connection) whileTaken(send func() (int64, error)) error {
	for {
		deadline, final := c.writesEnd()
		if err := c.TCPConn.SetWriteDeadline(deadline); err != nil {
			return err
		}
		n, err := send()
		if final || !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		if n == 0 {
			c.onStall()
			return err
		}
	}
}

// Close implements net.Conn.
func (c *connection) Close() error {
	c.onClose()
	return c.TCPConn.Close()
}
