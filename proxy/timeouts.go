package proxy

import (
	"time"

	"github.com/registryhub/registryhub/proxy/upstream"
)

const (
	// answerWithin is shorter than what a client is made to wait for the header, so that the upstreams of a host, asked
	// one after the other, have had their turn by then.
	answerWithin = 9 * time.Second
	// leastAnswerWithin is what a slow upstream needs, however many there are.
	leastAnswerWithin = 3 * time.Second
)

// timeoutsAmong are those of an upstream of a host that has so many.
func timeoutsAmong(upstreams int) upstream.Timeouts {
	each := max(leastAnswerWithin, answerWithin/time.Duration(upstreams))
	return upstream.Timeouts{
		Dial: 3 * time.Second, TLS: min(5*time.Second, each), Header: min(8*time.Second, each), Token: min(8*time.Second, each),
		Document: each, Idle: 30 * time.Second,
	}
}
