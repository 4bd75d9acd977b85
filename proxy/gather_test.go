package proxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"testing"
	"time"
)

// holding is how much of an answer waits to be written.
func (c *connection) holding() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held == nil {
		return 0
	}
	return len(*c.held)
}

// handing is a listener that accepts one connection.
type handing struct {
	net.Listener
	conns chan net.Conn
}

func (h handing) Accept() (net.Conn, error) {
	c, open := <-h.conns
	if !open {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (h handing) Addr() net.Addr { return &net.TCPAddr{} }

func (h handing) Close() error { return nil }

func serveOne(t *testing.T, c *connection, handler http.Handler) {
	t.Helper()
	l := handing{conns: make(chan net.Conn, 1)}
	l.conns <- c
	server := &http.Server{
		Handler: &edge{next: handler, limit: 10, told: unobserved{}}, ReadHeaderTimeout: time.Minute,
		ConnContext: func(ctx context.Context, one net.Conn) context.Context {
			return context.WithValue(ctx, connectionKey{}, one)
		},
	}
	ended := make(chan error)
	go func() { ended <- server.Serve(l) }()
	t.Cleanup(func() {
		close(l.conns)
		if err := <-ended; !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		must(t, server.Close())
	})
}

func TestSmallAnswersAreWrittenAtOnce(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		method string
		size   int
		flush  bool
		waits  bool
	}{
		"a manifest":                          {"GET", 10 << 10, false, true},
		"what just is small":                  {"GET", 32 << 10, false, true},
		"what is large":                       {"GET", 32<<10 + 1, false, false},
		"what net/http gathers":               {"GET", 1 << 10, false, false},
		"what has no body":                    {"HEAD", 10 << 10, false, false},
		"a transfer whose client is to begin": {"GET", 10 << 10, true, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			content := make([]byte, tc.size)
			_, _ = rand.Read(content) // never fails
			c, client := pair(t, time.Hour)
			waiting := make(chan int, 2)
			serveOne(t, c, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", strconv.Itoa(tc.size))
				w.WriteHeader(http.StatusOK)
				_, err := w.Write(content)
				if err == nil && tc.flush {
					err = http.NewResponseController(w).Flush()
				}
				if err != nil && tc.method != http.MethodHead {
					t.Error(err)
				}
				waiting <- c.holding()
			}))
			answers := bufio.NewReader(client)
			for range 2 {
				_, err := fmt.Fprintf(client, "%s / HTTP/1.1\r\nHost: x\r\n\r\n", tc.method)
				must(t, err)
				resp, err := http.ReadResponse(answers, &http.Request{Method: tc.method})
				must(t, err)
				got, err := io.ReadAll(resp.Body)
				must(t, errors.Join(err, resp.Body.Close()))
				if want := content[:len(got)]; !bytes.Equal(got, want) || (tc.method == http.MethodGet && len(got) != tc.size) {
					t.Errorf("%d bytes came that are not the %d that were sent", len(got), tc.size)
				}
				if n := <-waiting; (n > 0) != tc.waits {
					t.Errorf("%d bytes waited for the end of the answer, want some: %v", n, tc.waits)
				}
			}
		})
	}
}

func TestWhatIsHeldIsWrittenInItsOrder(t *testing.T) {
	t.Parallel()
	c, client := pair(t, time.Hour)
	c.hold()
	for _, piece := range []string{"one ", "two ", string(make([]byte, gatherRoom)), "three"} {
		_, err := c.Write([]byte(piece))
		must(t, err)
	}
	if n := c.holding(); n != 0 {
		t.Errorf("%d bytes are held, want none after more than there is room for", n)
	}
	must(t, c.Close())
	got, err := io.ReadAll(client)
	must(t, err)
	if want := "one two " + string(make([]byte, gatherRoom)) + "three"; string(got) != want {
		t.Errorf("%d bytes came in another order, or not all", len(got))
	}
}
