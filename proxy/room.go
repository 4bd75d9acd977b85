package proxy

import (
	"context"
	"sync"
	"time"

	"github.com/registryhub/registryhub/proxy/store"
)

// measuredFor is how long a measurement is believed: pushes come in hundreds of requests.
const measuredFor = time.Second

// room says whether there is any left for what is pushed. Some is kept for what has been begun, and for what takes a little
// to delete.
type room struct {
	measurer store.Measurer // nil where nobody can know: there is room then, until a write fails

	mu            sync.Mutex
	highWatermark int32 // in percent
	until         time.Time
	short         bool
}

func (r *room) setHighWatermark(percent int32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.highWatermark, r.until = percent, time.Time{}
}

func (r *room) isShort() bool {
	if r.measurer == nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if now.Before(r.until) {
		return r.short
	}
	ctx, cancel := context.WithTimeout(context.Background(), measuredFor)
	defer cancel()
	usage, err := r.measurer.Usage(ctx)
	if err == nil {
		r.short = above(usage.Used, usage.Capacity, r.highWatermark) || above(usage.UsedInodes, usage.Inodes, r.highWatermark)
	}
	r.until = now.Add(measuredFor)
	return r.short
}

func above(used, capacity int64, percent int32) bool {
	return capacity > 0 && float64(used) >= float64(capacity)*float64(percent)/100
}
