package evict

import (
	"math/bits"
	"time"

	"github.com/registryhub/registryhub/proxy/store"
)

// Reason is why something is evicted, or expired.
type Reason string

// The reasons.
const (
	// Watermark: the store was over its high watermark.
	Watermark Reason = "watermark"
	// Full: the store had no room for what was written to it.
	Full Reason = "full"
	// Idle: nobody asked for it for MaxIdle.
	Idle Reason = "idle"
)

// Reasons are all of them.
var Reasons = []Reason{Watermark, Full, Idle}

// Policy is what a store is held to.
type Policy struct {
	// HighWatermarkPercent of bytes or inodes begins an eviction, LowWatermarkPercent of both ends it. 1 to 99,
	// low below high.
	HighWatermarkPercent, LowWatermarkPercent int32
	// MaxIdle is how long an object is kept that nobody asks for. 0: for ever.
	MaxIdle time.Duration
}

// Plan says of one object after the other whether it goes.
type Plan struct {
	reason        Reason
	bytes, inodes int64 // still to be freed
	idleSince     time.Time
}

// Plan makes the plan for a store that is so full at that time. Full says that it refused a write for want of room, which
// can be below the high watermark, when what was written was large: it is then brought down to the low one all the same.
func (p Policy) Plan(usage store.Usage, full bool, now time.Time) *Plan {
	plan := &Plan{reason: Watermark}
	if p.MaxIdle > 0 {
		plan.idleSince = now.Add(-p.MaxIdle)
	}
	over := p.Over(usage)
	if full {
		plan.reason = Full
	}
	if over || full {
		plan.bytes = usage.Used - percent(usage.Capacity, p.LowWatermarkPercent)
	}
	if (over || full) && usage.Inodes > 0 {
		plan.inodes = usage.UsedInodes - percent(usage.Inodes, p.LowWatermarkPercent)
	}
	return plan
}

// Over reports whether a store that is so full is over its high watermark.
func (p Policy) Over(usage store.Usage) bool {
	return usage.Used > percent(usage.Capacity, p.HighWatermarkPercent) ||
		(usage.Inodes > 0 && usage.UsedInodes > percent(usage.Inodes, p.HighWatermarkPercent))
}

// Largest is how many bytes an object of a store that is so large can have: a larger one would go as soon as it was there, and
// everything else before it.
func (p Policy) Largest(usage store.Usage) int64 {
	return percent(usage.Capacity, p.HighWatermarkPercent)
}

// percent does not overflow, whatever the size of the file system.
func percent(n int64, of int32) int64 {
	high, low := bits.Mul64(uint64(max(n, 0)), uint64(max(of, 0)))
	quotient, _ := bits.Div64(high, low, 100)
	return int64(quotient) //nolint:gosec // at most n: of is at most 100
}

// Short reports whether room is still to be made.
func (p *Plan) Short() bool { return p.bytes > 0 || p.inodes > 0 }

// Victim says whether an object goes, and why, when every other that was used before it is gone or cannot go.
func (p *Plan) Victim(e store.Entry) (Reason, bool) {
	switch {
	case p.Short():
		return p.reason, true
	case e.LastAccess.Before(p.idleSince):
		return Idle, true
	default:
		return "", false
	}
}

// Freed says that an object went.
func (p *Plan) Freed(e store.Entry) {
	p.bytes -= e.Size
	p.inodes--
}
