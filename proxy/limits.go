package proxy

import (
	"cmp"
	"syscall"
	"time"
)

const (
	// filesPerConnection is what serving one client takes: its connection, the file that is sent, and one towards an
	// upstream.
	filesPerConnection = 3
	// reservedFiles are left for everything else.
	reservedFiles = 256
	// surplusConnections are those over the limit that are told so. There is no room to tell more of them.
	surplusConnections = 64
	// diagnosticConnections are enough for probes, scrapers and a person; none of them can be kept from the others by a
	// crowd of clients.
	diagnosticConnections = 128
)

// Limits of what clients can have of a Server at once. A zero field means its default.
type Limits struct {
	// Connections of clients to the registry API. One more is answered 503 and closed; far more are closed at once.
	// Default: 8192, or fewer where the process may open fewer than three files for each.
	Connections int
	// Requests that are served at once. One more is answered 503 with Retry-After, and its connection kept.
	// Default: half of Connections, so that idle connections do not count as load.
	Requests int
	// Stalled is how long a client may take no byte of an answer, before its connection is cut. It may take up to twice
	// as long. Default: 5m, as long as containerd bears with a transfer that brings none.
	Stalled time.Duration
	// Head is how long the head of a request may take, and the handshake of TLS. Default: 10s.
	Head time.Duration
	// Idle is how long a connection without a request is kept. Default: 2m, above the 90 s after which Go's clients close it
	// (net/http.DefaultTransport), so that it is not closed in the moment of a request.
	Idle time.Duration
}

func (l Limits) withDefaults() Limits {
	l.Connections = cmp.Or(l.Connections, connectionsFor(openFiles()))
	l.Requests = cmp.Or(l.Requests, max(1, l.Connections/2))
	l.Stalled = cmp.Or(l.Stalled, 5*time.Minute)
	l.Head = cmp.Or(l.Head, 10*time.Second)
	l.Idle = cmp.Or(l.Idle, 2*time.Minute)
	return l
}

// connectionsFor is how many connections fit into so many open files.
func connectionsFor(files uint64) int {
	const most, fewest = 8192, 16
	if files >= reservedFiles+most*filesPerConnection {
		return most
	}
	return max(fewest, (int(files)-reservedFiles)/filesPerConnection)
}

// openFiles is how many files the process may have open. Go raises the soft limit to the hard one when it starts.
func openFiles() uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return limit.Cur
}
