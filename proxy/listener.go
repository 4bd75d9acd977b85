package proxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/go-logr/logr"
)

// maxHeader is the most bytes of a request's head, above which it is answered 431: a token may be large, nothing else.
const maxHeader = 64 << 10

// listener is a server and where it listens.
type listener struct {
	net.Listener
	server *http.Server
}

// serveOn speaks HTTP/1.1 alone: to cut a transfer in HTTP/2 is a reset, which containerd takes for a failed pull.
func (s *Server) serveOn(address string, handler *edge, limits Limits) (listener, error) {
	handler.limit = int64(limits.Requests)
	told := handler.told
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", address)
	if err != nil {
		return listener{}, err
	}
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	server := &http.Server{
		Handler:                      handler,
		ReadHeaderTimeout:            limits.Head,
		IdleTimeout:                  limits.Idle,
		MaxHeaderBytes:               maxHeader,
		DisableGeneralOptionsHandler: true,
		Protocols:                    protocols,
		ErrorLog:                     log.New(httpLog{s.logger, told}, "", 0),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connectionKey{}, plain(c))
		},
	}
	return listener{Listener: &connections{Listener: l, limits: limits, told: told}, server: server}, nil
}

// plain is the connection below TLS.
func plain(c net.Conn) net.Conn {
	if secured, ok := c.(*tls.Conn); ok {
		return secured.NetConn()
	}
	return c
}

// connections is a listener that counts what it accepts.
type connections struct {
	net.Listener
	limits Limits
	told   gatekeeper
	open   atomic.Int64
	turns  turns
}

// Accept implements net.Listener. It accepts whatever comes, so that nobody waits in the kernel's queue for an answer that
// does not come: what is far over the limit is closed at once.
func (l *connections) Accept() (net.Conn, error) {
	for {
		accepted, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		tcp, _ := accepted.(*net.TCPConn) // which is all that listening on "tcp" gives
		over := l.count(1) - int64(l.limits.Connections)
		c := &connection{
			TCPConn: tcp, turn: turn{of: &l.turns}, surplus: over > 0, stalled: l.limits.Stalled, onStall: l.told.Stalled,
			onClose: sync.OnceFunc(func() { l.count(-1) }),
		}
		if c.surplus {
			l.told.TurnedAway("connections")
		}
		if over <= surplusConnections {
			return c, nil
		}
		_ = c.Close() // nobody is left to be told
	}
}

func (l *connections) count(n int64) int64 {
	now := l.open.Add(n)
	l.told.Connections(now)
	return now
}

// httpLog takes what net/http has to tell, such as that no file is left for a connection.
type httpLog struct {
	logger logr.Logger
	told   gatekeeper
}

// handshakeFailed is what such a message of net/http begins with, which has no other way to tell of it.
const handshakeFailed = "http: TLS handshake error"

// Write implements io.Writer for a log.Logger, which calls it once for each message. A handshake that fails is the client's
// trouble, and any client can make as many as it likes.
func (l httpLog) Write(p []byte) (int, error) {
	if bytes.HasPrefix(p, []byte(handshakeFailed)) {
		l.told.HandshakeFailed()
		l.logger.V(1).Info("TLS handshake failed", "message", strings.TrimSpace(string(p)))
		return len(p), nil
	}
	l.logger.Info("HTTP server is in trouble", "message", strings.TrimSpace(string(p)))
	return len(p), nil
}
