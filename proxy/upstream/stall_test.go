package upstream

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pipes are a listener whose connections a bubble's clock passes over, as it does not over a network's.
type pipes struct {
	dialled chan net.Conn
	closed  context.Context //nolint:containedctx // it is the life of the listener
	close   context.CancelFunc
}

// Accept implements net.Listener.
func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.dialled:
		return conn, nil
	case <-p.closed.Done():
		return nil, net.ErrClosed
	}
}

// Addr implements net.Listener.
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes"} }

// Close implements net.Listener.
func (p *pipes) Close() error {
	p.close()
	return nil
}

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.dialled <- far:
		return near, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// pipedClient is a client of a server of its own, both in the caller's bubble, with the time-outs of everyday.
func pipedClient(t *testing.T, handler http.HandlerFunc) *Client {
	t.Helper()
	p := &pipes{dialled: make(chan net.Conn)}
	p.closed, p.close = context.WithCancel(t.Context())
	server := &http.Server{Handler: handler}
	go func() { _ = server.Serve(p) }()
	t.Cleanup(func() { _ = server.Close() })
	c := client(t, "http://registry.test")
	for _, line := range c.wire.lines.all() {
		line.Proxy, line.DialContext = nil, p.dial
	}
	return c
}

// leisurely reads a byte at a time, and waits before each.
type leisurely struct {
	io.Reader
	wait time.Duration
}

func (l leisurely) Read(p []byte) (int, error) {
	<-time.After(l.wait)
	return l.Reader.Read(p[:1])
}

// A large layer over a thin line takes hours.
func TestBlobThatBringsALittleAllTheTimeIsNeverCut(t *testing.T) {
	content := strings.Repeat(blobContent, 10)
	longest := Timeouts{}.withDefaults().Idle // and no other one is longer
	for name, tc := range map[string]struct {
		offset        int64
		sends, leaves time.Duration // how long the upstream takes for a byte, and its reader
	}{
		"when the upstream is slow":                             {0, longest - time.Second, 0},
		"when the bytes before the offset are slow to come too": {60, longest - time.Second, 0},
		"when its reader is slow":                               {0, 0, 2 * longest},
		"when both are":                                         {0, longest - time.Second, 2 * longest},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := pipedClient(t, func(w http.ResponseWriter, r *http.Request) {
					for i := range content {
						flush(w, content[i:i+1])
						select {
						case <-time.After(tc.sends):
						case <-r.Context().Done():
							return
						}
					}
				})
				b, err := c.Blob(t.Context(), "a", blobDigest, tc.offset, -1)
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(leisurely{b.Body, tc.leaves})
				if err != nil || string(got) != content[tc.offset:] {
					t.Errorf("got %d of %d bytes and %v", len(got), len(content)-int(tc.offset), err)
				}
				if err := b.Body.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
