package proxy

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/registryhub/registryhub/proxy/distspec"
)

// bodyWithin is how long a client may take to send a body that nobody reads.
const bodyWithin = 10 * time.Second

// gatekeeper is told what becomes of a server's limits.
type gatekeeper interface {
	Connections(open int64)
	TurnedAway(limit string)
	Stalled()
	HandshakeFailed()
}

// unobserved tells nobody.
type unobserved struct{}

// Connections implements gatekeeper.
func (unobserved) Connections(int64) {}

// TurnedAway implements gatekeeper.
func (unobserved) TurnedAway(string) {}

// Stalled implements gatekeeper.
func (unobserved) Stalled() {}

// HandshakeFailed implements gatekeeper.
func (unobserved) HandshakeFailed() {}

// connectionKey is that of a connection in its context.
type connectionKey struct{}

// edge lets so many requests through to a handler at once, and answers the others at once: a client that is told that the
// hub is busy asks the registry itself, one that waits does not.
type edge struct {
	next  http.Handler
	limit int64
	// bodies says that requests have bodies, which are read of those that write.
	bodies bool
	busy   atomic.Int64
	told   gatekeeper
}

var errBusy = distspec.NewError(http.StatusServiceUnavailable, distspec.CodeUnavailable,
	"the hub serves as much as it can: ask the registry itself, or again later")

// ServeHTTP implements http.Handler.
func (e *edge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer e.busy.Add(-1)
	busy := e.busy.Add(1)
	c, connected := r.Context().Value(connectionKey{}).(*connection)
	turnedAway := connected && c.surplus || busy > e.limit
	w, r = e.bodyOf(w, r, turnedAway)
	switch {
	case connected && c.surplus:
		w.Header().Set("Connection", "close")
		distspec.WriteError(w, r, errBusy)
	case busy > e.limit:
		e.told.TurnedAway("requests")
		distspec.WriteError(w, r, errBusy)
	case connected:
		c.turn.of.begin()
		defer c.turn.of.end()
		answer := &gathered{ResponseWriter: w, connection: c, method: r.Method}
		e.next.ServeHTTP(answer, r)
		answer.end()
	default:
		e.next.ServeHTTP(w, r)
	}
}

// bodyOf has a request's body refused, or its end not waited for longer than that of the answer.
func (e *edge) bodyOf(w http.ResponseWriter, r *http.Request, turnedAway bool) (http.ResponseWriter, *http.Request) {
	switch {
	case r.ContentLength == 0:
		return w, r
	case turnedAway || !e.bodies || !writes(r.Method):
		refuseBody(w)
		return w, r
	default:
		return await(w, r)
	}
}

func writes(method string) bool {
	return method == http.MethodPost || method == http.MethodPut || method == http.MethodPatch
}

// refuseBody has the connection closed after the answer. net/http would wait for the body before, without end, so as to
// find the next request behind it.
func refuseBody(w http.ResponseWriter) {
	w.Header().Set("Connection", "close")
	hurryBody(w)
}
