package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// front is a listener that takes each connection for what it is, as the schemes of the moment have it. It makes no other
// address of another scheme: whatever leads to the hub's port leads to both of them.
type front struct {
	net.Listener
	spoken atomic.Pointer[schemes]
	// within is how long a client may be silent at first.
	within time.Duration

	begin  sync.Once
	end    sync.Once
	ready  chan arrival
	closed chan struct{}

	mu sync.Mutex
	// silent are those that have not said yet what they speak.
	silent map[*connection]struct{}
}

// arrival is what Accept returns.
type arrival struct {
	conn net.Conn
	err  error
}

func newFront(below net.Listener, spoken *schemes, within time.Duration) *front {
	f := &front{Listener: below, within: within, ready: make(chan arrival), closed: make(chan struct{}), silent: map[*connection]struct{}{}}
	f.spoken.Store(spoken)
	return f
}

// speak has other schemes in force. Connections that are there stay what they are.
func (f *front) speak(next *schemes) { close(f.spoken.Swap(next).replaced) }

// follow follows the files of whichever schemes are in force, until the context ends.
func (f *front) follow(ctx context.Context) {
	for ctx.Err() == nil {
		f.spoken.Load().follow(ctx)
	}
}

// ServeHTTP implements http.Handler.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	spoken := f.spoken.Load()
	if r.TLS != nil {
		spoken.overTLS.ServeHTTP(w, r)
		return
	}
	spoken.overHTTP.ServeHTTP(w, r)
}

// Accept implements net.Listener.
func (f *front) Accept() (net.Conn, error) {
	f.begin.Do(func() { go f.admit() })
	select {
	case next := <-f.ready:
		return next.conn, next.err
	case <-f.closed:
		return nil, net.ErrClosed
	}
}

// admit waits for nobody who is silent: others are behind it.
func (f *front) admit() {
	for {
		accepted, err := f.Listener.Accept()
		if err != nil {
			f.hand(arrival{err: err})
			if errors.Is(err, net.ErrClosed) {
				return
			}
			continue
		}
		c, _ := accepted.(*connection) // which is all that connections accepts
		if spoken := f.spoken.Load(); !spoken.both() {
			f.hand(arrival{conn: spoken.take(c, true)})
		} else if f.await(c) {
			go f.listenTo(c)
		}
	}
}

func (f *front) hand(next arrival) {
	select {
	case f.ready <- next:
	case <-f.closed:
		if next.conn != nil {
			_ = next.conn.Close() // nobody is left to be told
		}
	}
}

// await notes who is silent, and says whether it may stay.
func (f *front) await(c *connection) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	select {
	case <-f.closed:
		_ = c.Close() // nobody is left to be told
		return false
	default:
	}
	f.silent[c] = struct{}{}
	return true
}

// listenTo hands on who has begun to speak. Who does not within the time of a request's head is cut off.
func (f *front) listenTo(c *connection) {
	first, err := firstByte(c, f.within)
	f.mu.Lock()
	delete(f.silent, c)
	f.mu.Unlock()
	if err != nil {
		_ = c.Close() // it is gone, or says nothing
		return
	}
	f.hand(arrival{conn: f.spoken.Load().take(c, first == recordTypeHandshake)})
}

// Close implements net.Listener.
func (f *front) Close() error {
	f.end.Do(func() { close(f.closed) })
	f.mu.Lock()
	for c := range f.silent {
		_ = c.Close() // ends its waiting
	}
	f.mu.Unlock()
	return f.Listener.Close()
}

// recordTypeHandshake is what every TLS connection begins with (RFC 8446, section 5.1), and no method of HTTP.
const recordTypeHandshake = 22

// firstByte looks at what a client says first, and leaves it to be read.
func firstByte(c *connection, within time.Duration) (byte, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	if err := c.SetReadDeadline(time.Now().Add(within)); err != nil {
		return 0, err
	}
	var first [1]byte
	var n int
	var failed error
	err = raw.Read(func(fd uintptr) bool {
		n, _, failed = syscall.Recvfrom(int(fd), first[:], syscall.MSG_PEEK)
		return !errors.Is(failed, syscall.EAGAIN)
	})
	if err = errors.Join(err, failed, c.SetReadDeadline(time.Time{})); err == nil && n == 0 {
		err = io.EOF
	}
	return first[0], err
}
