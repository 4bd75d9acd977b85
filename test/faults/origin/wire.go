package origin

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// write sends an answer. What HTTP has a way to say goes through the server, which keeps the connection; the rest is
// written by hand, and the connection ends with it.
func (s *Server) write(w http.ResponseWriter, a *Answer) {
	if a.Wire.plain() {
		s.writePlain(w, a)
		return
	}
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return // the client is gone
	}
	s.track(conn)
	defer s.release(conn)
	if s.writeRaw(conn, a) != nil {
		return // the client is gone
	}
	finish(conn, a.Wire)
}

func (s *Server) writePlain(w http.ResponseWriter, a *Answer) {
	for name, values := range a.Header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(a.Body)))
	w.WriteHeader(a.Status)
	if a.Method() != http.MethodHead {
		s.pour(w, a.Body)
	}
}

// pour writes a body at the rate of the server.
func (s *Server) pour(w io.Writer, body []byte) {
	const piece = 64 << 10
	for len(body) > 0 {
		n := min(piece, len(body))
		s.meter.wait(n)
		if _, err := w.Write(body[:n]); err != nil {
			return
		}
		s.sent.Add(int64(n))
		body = body[n:]
	}
}

func (s *Server) writeRaw(conn net.Conn, a *Answer) error {
	head := headOf(a)
	early := a.Wire.End != Whole && a.Wire.In != InBody
	if early {
		head = head[:map[Part]int{Before: 0, InHeader: len(head) / 2}[a.Wire.In]]
	}
	if _, err := conn.Write(head); err != nil || early || a.Method() == http.MethodHead {
		return err
	}
	body := a.Body
	if a.Wire.End != Whole {
		body = body[:a.Wire.At]
	}
	err := s.writeBody(conn, body, a.Wire)
	for filler := bytes.Repeat([]byte{'x'}, 32<<10); err == nil && a.Wire.Endless; {
		err = s.writeBody(conn, filler, a.Wire)
	}
	return err
}

func headOf(a *Answer) []byte {
	var head bytes.Buffer
	fmt.Fprintf(&head, "HTTP/1.1 %d %s\r\n", a.Status, http.StatusText(a.Status))
	header := a.Header.Clone()
	switch {
	case a.Wire.Chunked:
		header.Set("Transfer-Encoding", "chunked")
	case !a.Wire.Unframed:
		header.Set("Content-Length", strconv.Itoa(len(a.Body)))
	}
	header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	_ = header.Write(&head) // a buffer takes all
	head.WriteString("\r\n")
	return head.Bytes()
}

func (s *Server) writeBody(conn net.Conn, body []byte, wire Wire) error {
	piece := wire.Piece
	if piece == 0 {
		piece = 32 << 10
	}
	for len(body) > 0 {
		n := min(piece, len(body))
		part := body[:n]
		if wire.Chunked {
			part = fmt.Appendf(nil, "%x\r\n%s\r\n", n, part)
		}
		if _, err := conn.Write(part); err != nil {
			return err
		}
		s.sent.Add(int64(n))
		body = body[n:]
		if wire.Pause > 0 && !s.pause(wire.Pause) {
			return net.ErrClosed
		}
	}
	if wire.Chunked && wire.End == Whole && !wire.Endless {
		_, err := io.WriteString(conn, "0\r\n\r\n")
		return err
	}
	return nil
}

// finish ends a connection. One that hangs waits for the client to give up.
func finish(conn net.Conn, wire Wire) {
	switch wire.End {
	case Hang:
		_, _ = io.Copy(io.Discard, conn) // until either side closes it
	case Reset:
		raw := conn
		if secure, ok := conn.(*tls.Conn); ok {
			raw = secure.NetConn()
		}
		if tcp, ok := raw.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // so that Close sends an RST
			_ = tcp.Close()
		}
	default:
	}
}
