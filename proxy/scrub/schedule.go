package scrub

import (
	"time"

	"github.com/registryhub/registryhub/proxy/store"
)

// A round takes the period, and each of the store's parts its share of it. Rounds are counted from 1970, so that every
// process knows which part is due, and nothing need be remembered over a restart.

// slot is a part's turn, counted from 1970.
type slot int64

// slotAt is the one that it is time for.
func slotAt(now time.Time, period time.Duration) slot {
	return slot(now.UnixNano() / int64(share(period)))
}

// begins is when a slot begins.
func (s slot) begins(period time.Duration) time.Time {
	return time.Unix(0, int64(s)*int64(share(period)))
}

// part is the part whose turn it is.
func (s slot) part() byte { return byte(s % store.Parts) } //nolint:gosec // below 256

func share(period time.Duration) time.Duration { return max(1, period/store.Parts) }

// pacer holds a reader to a rate: each piece is paid for in time before it is read.
type pacer struct {
	bytesPerSecond int64
	free           time.Time // when what was read before is paid for
}

// wait is how long to wait at that time before so many bytes are read.
func (p *pacer) wait(now time.Time, bytes int64) time.Duration {
	from := p.free
	if from.Before(now) {
		from = now
	}
	p.free = from.Add(time.Duration(float64(bytes) / float64(p.bytesPerSecond) * float64(time.Second)))
	return from.Sub(now)
}
