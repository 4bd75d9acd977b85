package proxy

import (
	"io"
	"net/http"
	"strconv"
	"sync"
)

const (
	// gatherFrom is the least body that is gathered: net/http puts a smaller one into one write with its header by itself.
	gatherFrom = 3 << 10
	// gatherUpTo is the largest. What is larger is sent by the kernel, or costs so much that a write more is nothing.
	gatherUpTo = 32 << 10
	// gatherRoom has room for the header too.
	gatherRoom = gatherUpTo + 4<<10
)

// rooms are what answers are gathered in.
var rooms = sync.Pool{New: func() any {
	room := make([]byte, 0, gatherRoom)
	return &room
}}

// gathered is an answer that is written at once when it is small: each write more is a system call and wakes the client.
type gathered struct {
	http.ResponseWriter
	connection *connection
	method     string
	holds      bool
}

// WriteHeader implements http.ResponseWriter.
func (g *gathered) WriteHeader(status int) {
	if length, err := strconv.Atoi(g.Header().Get("Content-Length")); err == nil &&
		length >= gatherFrom && length <= gatherUpTo && g.method != http.MethodHead {
		g.holds = true
		g.connection.hold()
	}
	g.ResponseWriter.WriteHeader(status)
}

// ReadFrom implements io.ReaderFrom.
func (g *gathered) ReadFrom(src io.Reader) (int64, error) { return io.Copy(g.ResponseWriter, src) }

// FlushError is for http.ResponseController: who flushes has the client wait for something.
func (g *gathered) FlushError() error {
	err := http.NewResponseController(g.ResponseWriter).Flush()
	if !g.holds {
		return err
	}
	g.holds = false
	if released := g.connection.release(); err == nil {
		err = released
	}
	return err
}

// end writes what is held.
func (g *gathered) end() {
	if g.holds {
		_ = g.FlushError() // the client is gone: nobody is left to be told
	}
}

// Unwrap serves http.ResponseController.
func (g *gathered) Unwrap() http.ResponseWriter { return g.ResponseWriter }
