package origin

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Server answers over HTTP and bends its answers as the rules in force say.
type Server struct {
	// Address it listens on, host:port.
	Address string
	// URL of it.
	URL string

	answer  func(*http.Request) *Answer
	secure  *tls.Config
	meter   meter
	sent    atomic.Int64 // bytes of bodies
	stopped chan struct{}
	// reserved keeps the port while nobody listens.
	reserved io.Closer

	mu    sync.Mutex
	rules []*active
	asked []string
	spans []Span
	conns map[net.Conn]struct{}
	http  *http.Server
	ended chan struct{}
}

// newServer starts a server; secure is nil for plain HTTP. It is closed by Close.
func newServer(answer func(*http.Request) *Answer, secure *tls.Config) (*Server, error) {
	s := &Server{answer: answer, secure: secure, stopped: make(chan struct{}), conns: map[net.Conn]struct{}{}}
	var err error
	if s.reserved, s.Address, err = reserve(); err != nil {
		return nil, fmt.Errorf("reserving a port: %w", err)
	}
	if err := s.listen(); err != nil {
		return nil, errors.Join(err, s.reserved.Close())
	}
	s.URL = "http://" + s.Address
	if secure != nil {
		s.URL = "https://" + s.Address
	}
	return s, nil
}

// listen begins to accept connections, at the same address each time.
func (s *Server) listen() error {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", s.Address)
	if err != nil {
		return fmt.Errorf("listening on %s: %w", s.Address, err)
	}
	if s.secure != nil {
		listener = tls.NewListener(listener, s.secure)
	}
	server := &http.Server{Handler: s, ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(listener) // it ends when it is closed
	}()
	s.http, s.ended = server, ended
	return nil
}

// down stops to accept connections, and resets those that there are.
func (s *Server) down() error {
	if s.http == nil {
		return nil
	}
	err := s.http.Close()
	<-s.ended
	s.http = nil
	for conn := range s.conns {
		_ = conn.Close() // whoever writes to it ends
	}
	return err
}

// Fail puts rules into force in the place of those that were. The first that concerns an answer bends it. An error is
// that of a port that cannot be listened on again.
func (s *Server) Fail(rules ...Rule) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules = nil
	refuses := false
	for _, rule := range rules {
		s.rules = append(s.rules, &active{Rule: rule, left: rule.Times})
		refuses = refuses || rule.Fault.Refuses
	}
	switch {
	case refuses:
		return s.down()
	case s.http == nil:
		return s.listen()
	default:
		return nil
	}
}

// Heal ends all faults. Connections that hang go on hanging.
func (s *Server) Heal() error { return s.Fail() }

// Close ends the server and waits for it.
func (s *Server) Close() error {
	close(s.stopped)
	s.mu.Lock()
	err := s.down()
	s.mu.Unlock()
	return errors.Join(err, s.reserved.Close())
}

// Asked are the requests for a repository since the last call, as METHOD path.
func (s *Server) Asked(repository string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var asked, others []string
	for _, request := range s.asked {
		if strings.Contains(request, " /v2/"+repository+"/") {
			asked = append(asked, request)
		} else {
			others = append(others, request)
		}
	}
	s.asked = others
	return asked
}

// Span is a part of a blob: its first byte, and the one behind its last.
type Span struct{ Start, End int64 }

// Spans are the parts of layers that were asked for since the last call, whatever has been sent of them.
func (s *Server) Spans() []Span {
	s.mu.Lock()
	defer s.mu.Unlock()
	spans := s.spans
	s.spans = nil
	return spans
}

// Sent is how many bytes of bodies have been sent.
func (s *Server) Sent() int64 { return s.sent.Load() }

// Throttle holds all bodies together to a rate in bytes per second; 0 is as fast as it goes.
func (s *Server) Throttle(rate int64) { s.meter.set(rate) }

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := s.answer(r)
	s.mu.Lock()
	s.asked = append(s.asked, r.Method+" "+r.URL.Path)
	if a.Kind == Layers && r.Method == http.MethodGet {
		s.spans = append(s.spans, a.span())
	}
	var taken *Fault
	for _, rule := range s.rules {
		if rule.take(a) {
			taken = &rule.Fault
			break
		}
	}
	s.mu.Unlock()
	if taken != nil {
		taken.Bend(a)
	}
	s.write(w, a)
}

func (s *Server) track(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns[conn] = struct{}{}
}

func (s *Server) release(conn net.Conn) {
	_ = conn.Close() // closed already after a reset
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, conn)
}

// pause waits, and reports whether the server still runs.
func (s *Server) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.stopped:
		return false
	}
}

// meter paces writers together.
type meter struct {
	mu   sync.Mutex
	rate int64
	next time.Time
}

func (m *meter) set(rate int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rate = rate
}

// wait waits until n more bytes may be written.
func (m *meter) wait(n int) {
	m.mu.Lock()
	if m.rate == 0 {
		m.mu.Unlock()
		return
	}
	if now := time.Now(); m.next.Before(now) {
		m.next = now
	}
	due := m.next
	m.next = due.Add(time.Duration(int64(n) * int64(time.Second) / m.rate))
	m.mu.Unlock()
	timer := time.NewTimer(time.Until(due))
	<-timer.C
}
