package upstream

import (
	"io"
	"net/http"
	"sync"
)

// closing is a transport that, once closed, keeps no connection when no request is under way.
type closing struct {
	inner interface {
		http.RoundTripper
		CloseIdleConnections()
	}

	mu       sync.Mutex
	underWay int
	closed   bool
}

// RoundTrip implements http.RoundTripper. A request is under way until its answer's body is closed.
func (c *closing) RoundTrip(r *http.Request) (*http.Response, error) {
	c.add(1)
	resp, err := c.inner.RoundTrip(r)
	if err != nil {
		c.add(-1)
		return nil, err
	}
	resp.Body = &closingBody{ReadCloser: resp.Body, ended: sync.OnceFunc(func() { c.add(-1) })}
	return resp, nil
}

func (c *closing) add(n int) {
	c.mu.Lock()
	c.underWay += n
	idle := c.closed && c.underWay == 0
	c.mu.Unlock()
	if idle {
		c.inner.CloseIdleConnections()
	}
}

func (c *closing) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.inner.CloseIdleConnections()
}

type closingBody struct {
	io.ReadCloser
	ended func()
}

// Close implements io.Closer.
func (b *closingBody) Close() error {
	defer b.ended()
	return b.ReadCloser.Close()
}
