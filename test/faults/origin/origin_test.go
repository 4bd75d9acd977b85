package origin

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// size of the layer of the tests, in bytes.
const size = 2 * LayerSize

// TestFaultsOnTheWire holds what each fault comes to, seen without a client's kindness.
func TestFaultsOnTheWire(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fault Fault
		// head begins the answer; body is the number of bytes after the header; end is what comes then.
		head string
		body int
		end  string
	}{
		"none":                  {Fault{}, "HTTP/1.1 200 OK", size, "hangs"}, // the connection is kept
		"a status":              {Status(503), "HTTP/1.1 503 ", 54, "hangs"},
		"cut before the header": {Stops(Cut, Before), "", 0, "EOF"},
		"cut in the header":     {Stops(Cut, InHeader), "HTTP/1.1 200 OK", 0, "EOF"},
		"cut in the middle":     {StopsInBody(Cut, InMiddle), "HTTP/1.1 200 OK", size / 2, "EOF"},
		"cut in the last KiB":   {StopsInBody(Cut, InLastKiB), "HTTP/1.1 200 OK", size - 500, "EOF"},
		"cut at a byte":         {StopsAtByte(Cut, 1000), "HTTP/1.1 200 OK", 1000, "EOF"},
		"reset":                 {Stops(Reset, Before), "", 0, "reset"},
		"hang":                  {StopsInBody(Hang, InFirstKiB), "HTTP/1.1 200 OK", 500, "hangs"},
		"short":                 {Short(7), "HTTP/1.1 200 OK", size - 7, "hangs"},
		"longer":                {Longer(7), "HTTP/1.1 200 OK", size + 7, "EOF"},
		"a drip":                {Drip(16<<10, time.Millisecond), "HTTP/1.1 200 OK", size, "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, image := serving(t)
			must(t, s.Fail(Rule{Fault: tc.fault, For: Layers}))
			text, end := ask(t, s, image)
			head, body, _ := strings.Cut(text, "\r\n\r\n")
			if !strings.HasPrefix(head, tc.head) || len(body) != tc.body || end != tc.end {
				t.Errorf("%.40q, then %d bytes, then %s; want %q, %d, %s", head, len(body), end, tc.head, tc.body, tc.end)
			}
		})
	}
}

func TestARuleEnds(t *testing.T) {
	t.Parallel()
	s, image := serving(t)
	must(t, s.Fail(Rule{Fault: Status(503), For: Layers, Times: 2}))
	for i, want := range []string{"503", "503", "200"} {
		if text, _ := ask(t, s, image); !strings.HasPrefix(text, "HTTP/1.1 "+want) {
			t.Errorf("answer %d is %.20q, want %s", i, text, want)
		}
	}
	want := strings.Repeat("GET /v2/team/app/blobs/"+image.Descriptors[1].Digest.String()+"\n", 3)
	if got := strings.Join(s.Asked("team/app"), "\n") + "\n"; got != want {
		t.Errorf("asked\n%swant\n%s", got, want)
	}
}

func TestARefusedConnectionIsAcceptedAfterwards(t *testing.T) {
	t.Parallel()
	s, image := serving(t)
	must(t, s.Fail(Rule{Fault: Refused()}))
	if _, err := net.Dial("tcp", s.Address); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("the connection is met with %v", err)
	}
	must(t, s.Heal())
	if text, _ := ask(t, s, image); !strings.HasPrefix(text, "HTTP/1.1 200") {
		t.Errorf("healed, and the answer is %.20q", text)
	}
}

func serving(t *testing.T) (*Server, *Image) {
	t.Helper()
	registry := NewRegistry()
	image, err := registry.PushImage("team/app", "v1", 1, size)
	must(t, err)
	s, err := registry.Origin(nil)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s, image
}

// ask gets the layer over a connection of its own, and says how the answer ended.
func ask(t *testing.T, s *Server, image *Image) (text, end string) {
	t.Helper()
	conn, err := net.Dial("tcp", s.Address)
	must(t, err)
	defer func() { _ = conn.Close() }()
	_, err = fmt.Fprintf(conn, "GET /v2/team/app/blobs/%s HTTP/1.1\r\nHost: x\r\n\r\n", image.Descriptors[1].Digest)
	must(t, err)
	return readUntilSilent(t, conn)
}

// silence is how long nothing must come for a connection to be said to hang.
const silence = 2 * time.Second

func readUntilSilent(t *testing.T, conn net.Conn) (text, end string) {
	t.Helper()
	var all strings.Builder
	buffer := make([]byte, 64<<10)
	for {
		must(t, conn.SetReadDeadline(time.Now().Add(silence)))
		n, err := conn.Read(buffer)
		all.Write(buffer[:n])
		var timeout net.Error
		switch {
		case errors.Is(err, io.EOF):
			return all.String(), "EOF"
		case errors.Is(err, syscall.ECONNRESET):
			return all.String(), "reset"
		case errors.As(err, &timeout) && timeout.Timeout():
			return all.String(), "hangs"
		case err != nil:
			t.Fatal(err)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
