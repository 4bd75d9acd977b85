package proxy

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// pair is a connection to a client that takes little at once, and the client's end.
func pair(t *testing.T, stalled time.Duration) (*connection, net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	must(t, err)
	accepted, err := l.Accept()
	must(t, err)
	c := &connection{TCPConn: accepted.(*net.TCPConn), turn: turn{of: &turns{}}, stalled: stalled, onStall: func() {}, onClose: func() {}}
	must(t, c.SetWriteBuffer(64<<10))
	t.Cleanup(func() {
		_ = c.Close()
		_ = client.Close()
	})
	return c, client
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestASendGoesOnWhileTheClientTakesSomething(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	type sent struct {
		n   int64
		err error
	}
	cases := map[string]struct {
		sends []sent
		want  error
		stall bool
	}{
		"at once":              {[]sent{{5, nil}}, nil, false},
		"slowly":               {[]sent{{5, os.ErrDeadlineExceeded}, {1, os.ErrDeadlineExceeded}, {2, nil}}, nil, false},
		"not at all":           {[]sent{{0, os.ErrDeadlineExceeded}}, os.ErrDeadlineExceeded, true},
		"slowly, then no more": {[]sent{{5, os.ErrDeadlineExceeded}, {0, os.ErrDeadlineExceeded}}, os.ErrDeadlineExceeded, true},
		"to one who is gone":   {[]sent{{5, broken}}, broken, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _ := pair(t, time.Hour)
			stall := false
			c.onStall = func() { stall = true }
			err := c.whileTaken(func() (int64, error) {
				next := tc.sends[0]
				tc.sends = tc.sends[1:]
				return next.n, next.err
			})
			if !errors.Is(err, tc.want) || stall != tc.stall || len(tc.sends) != 0 {
				t.Errorf("error %v, stalled %v, %d sends left; want %v, %v, 0", err, stall, len(tc.sends), tc.want, tc.stall)
			}
		})
	}
}

// TLS closes a connection so: it has a last thing to say, whether or not anybody listens.
func TestADeadlineOfWritesEndsThemWhateverIsTaken(t *testing.T) {
	t.Parallel()
	c, client := pair(t, time.Hour)
	stalled := false
	c.onStall = func() { stalled = true }
	must(t, c.SetWriteDeadline(time.Now().Add(10*time.Millisecond)))
	if _, err := c.Write(make([]byte, 64<<20)); !errors.Is(err, os.ErrDeadlineExceeded) || stalled {
		t.Errorf("before the deadline: error %v, stalled %v, want a time-out that is nobody's stall", err, stalled)
	}
	must(t, c.SetWriteDeadline(time.Time{}))
	go func() { _, _ = io.Copy(io.Discard, client) }()
	if _, err := c.Write(make([]byte, 1<<20)); err != nil {
		t.Errorf("without a deadline: %v", err)
	}
}

// However often a send is stopped by the time-out, the client has the bytes in their order and each of them once.
func TestNothingIsLostOrDoubledWhenASendIsTakenUp(t *testing.T) {
	t.Parallel()
	content := make([]byte, 8<<20)
	_, _ = rand.Read(content) // never fails
	path := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(path, content, 0o600))
	sends := map[string]func(*testing.T, *connection) error{
		"a file": func(t *testing.T, c *connection) error {
			t.Helper()
			file, err := os.Open(path)
			must(t, err)
			defer file.Close()
			part := &io.LimitedReader{R: file, N: int64(len(content))}
			for {
				if _, err := c.ReadFrom(part); !errors.Is(err, os.ErrDeadlineExceeded) {
					return err
				}
			}
		},
		"bytes": func(t *testing.T, c *connection) error {
			t.Helper()
			for rest := content; ; {
				n, err := c.Write(rest)
				rest = rest[n:]
				if !errors.Is(err, os.ErrDeadlineExceeded) {
					return err
				}
			}
		},
	}
	sends["a file, among many"] = func(t *testing.T, c *connection) error {
		t.Helper()
		for range 1000 {
			c.turn.of.begin()
		}
		return sends["a file"](t, c)
	}
	for name, send := range sends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, client := pair(t, time.Millisecond)
			var got bytes.Buffer
			ended := make(chan error, 1)
			go func() {
				pause := time.NewTicker(3 * time.Millisecond)
				defer pause.Stop()
				for {
					if _, err := io.CopyN(&got, client, 256<<10); err != nil {
						ended <- err
						return
					}
					<-pause.C
				}
			}()
			must(t, send(t, c))
			must(t, c.Close())
			if err := <-ended; !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), content) {
				t.Errorf("%d bytes came that are not the %d that were sent", got.Len(), len(content))
			}
		})
	}
}

// A file can be cut while it is sent.
func TestASendEndsWhereTheFileEnds(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(path, make([]byte, 3*leastTurn/2), 0o600))
	file, err := os.Open(path)
	must(t, err)
	defer file.Close()
	for _, others := range []int{0, 1000} {
		c, client := pair(t, time.Hour)
		for range others {
			c.turn.of.begin()
		}
		go func() { _, _ = io.Copy(io.Discard, client) }()
		_, err = file.Seek(0, io.SeekStart)
		must(t, err)
		if n, err := c.ReadFrom(&io.LimitedReader{R: file, N: 1 << 20}); n != 3*leastTurn/2 || err != nil {
			t.Errorf("among %d others %d bytes were sent, and then %v; want %d, and no error", others, n, err, 3*leastTurn/2)
		}
	}
}

func TestConnectionsFitIntoTheOpenFiles(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		files uint64
		want  int
	}{
		"as Kubernetes gives":  {1 << 20, 8192},
		"without a limit":      {1<<64 - 1, 8192},
		"as a shell gives":     {1024, 256},
		"fewer than are taken": {10, 16},
		"unknown":              {0, 16},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, connectionsFor(tc.files)); diff != "" {
				t.Errorf("connections (-want +got):\n%s", diff)
			}
		})
	}
}
