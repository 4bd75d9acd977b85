package upstream

import (
	"cmp"
	"time"
)

// Timeouts of one upstream. A zero field means its default.
type Timeouts struct {
	// Dial is for a TCP connection. Default: 5s.
	Dial time.Duration
	// TLS is for a handshake. Default: 10s.
	TLS time.Duration
	// Header is from the end of a request until the answer's header, for each request of an exchange. Default: 15s,
	// half of what containerd waits for the hub.
	Header time.Duration
	// Token is for one exchange of a token as a whole. Default: 15s.
	Token time.Duration
	// Document is for a manifest or a list as a whole, with authorization and redirects, and for all of that before a
	// blob's body. Default: 60s.
	Document time.Duration
	// Idle is for a blob's body that brings no byte while somebody reads. There is no limit to the whole. Default: 60s.
	Idle time.Duration
	// Probe is for one probe of an upstream in doubt, on a connection of its own. Default: 3s.
	Probe time.Duration
}

func (t Timeouts) withDefaults() Timeouts {
	return Timeouts{
		Dial:     cmp.Or(t.Dial, 5*time.Second),
		TLS:      cmp.Or(t.TLS, 10*time.Second),
		Header:   cmp.Or(t.Header, 15*time.Second),
		Token:    cmp.Or(t.Token, 15*time.Second),
		Document: cmp.Or(t.Document, time.Minute),
		Idle:     cmp.Or(t.Idle, time.Minute),
		Probe:    cmp.Or(t.Probe, 3*time.Second),
	}
}
