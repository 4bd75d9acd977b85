package upstream

import (
	"net/http"
	"sync"

	"github.com/registryhub/registryhub/proxy/distspec"
	"github.com/registryhub/registryhub/proxy/secretfile"
)

// wire is the way out of a client. The client certificate is for the upstream's own origin alone: other hosts, that
// redirects or challenges lead to, get transports without it. When files of certificates change, requests from then on
// go by new transports, and those under way are left alone.
type wire struct {
	guard    *guard
	files    tlsFiles
	timeouts Timeouts
	reach    *Reach // nil is everywhere
	refused  func(error)

	mu    sync.Mutex
	seen  secretfile.Versions
	lines lines
}

// newWire reads the files. Errors are *secretfile.Error.
func newWire(g *guard, files tlsFiles, timeouts Timeouts, reach *Reach, refused func(error)) (*wire, error) {
	w := &wire{guard: g, files: files, timeouts: timeouts, reach: reach, refused: refused, seen: files.look()}
	trusted, err := files.read()
	if err != nil {
		return nil, err
	}
	w.lines = newLines(trusted, timeouts, reach)
	return w, nil
}

// RoundTrip implements http.RoundTripper.
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	trustPublicRoots()
	return w.current().choose(r, w.guard.isUpstream(r.URL)).RoundTrip(r)
}

// current looks at the files first.
func (w *wire) current() lines {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.files.look()
	if now.Same(w.seen) {
		return w.lines
	}
	w.seen = now
	trusted, err := w.files.read()
	if err != nil {
		w.refused(err)
		return w.lines
	}
	w.lines.closeIdle()
	w.lines = newLines(trusted, w.timeouts, w.reach)
	return w.lines
}

// CloseIdleConnections closes the connections that nobody uses now.
func (w *wire) CloseIdleConnections() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines.closeIdle()
}

// lines are the transports of one state of the files.
type lines struct {
	own, foreign pair
	probes       *http.Transport
}

type pair struct{ documents, blobs *http.Transport }

func newLines(trusted certificates, timeouts Timeouts, reach *Reach) lines {
	own := newPair(trusted, timeouts)
	l := lines{own: own, foreign: own, probes: newProbeTransport(trusted, timeouts)}
	if trusted.own != nil {
		trusted.own = nil
		l.foreign = newPair(trusted, timeouts)
	}
	if reach != nil {
		for _, t := range l.all() {
			reach.limit(t, timeouts)
		}
	}
	return l
}

// all are the transports, each once.
func (l lines) all() []*http.Transport {
	all := []*http.Transport{l.own.documents, l.own.blobs, l.probes}
	if l.foreign != l.own {
		all = append(all, l.foreign.documents, l.foreign.blobs)
	}
	return all
}

func newPair(trusted certificates, timeouts Timeouts) pair {
	return pair{documents: newTransport(trusted, timeouts), blobs: newBlobTransport(trusted, timeouts)}
}

func (l lines) choose(r *http.Request, own bool) *http.Transport {
	to := l.foreign
	if own {
		to = l.own
	}
	switch kind := askedOf(r.Context()).Kind; {
	case kind == distspec.KindBase:
		return l.probes
	case kind == distspec.KindBlob && r.Method == http.MethodGet:
		return to.blobs
	default:
		return to.documents
	}
}

func (l lines) closeIdle() {
	for _, t := range l.all() {
		t.CloseIdleConnections()
	}
}
