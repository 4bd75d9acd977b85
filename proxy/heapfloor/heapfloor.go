// Package heapfloor lets a small heap grow before it is collected. Go collects when the heap has doubled: a proxy that has
// 3 MiB in use and makes 10 KiB of garbage a request does so hundreds of times a second, which is a tenth of what it spends
// on small answers. A heap that is larger is collected as ever, so that the most memory that is taken stays what it is.
package heapfloor

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
)

const (
	// usual is Go's own: the heap may grow by as much as is in use.
	usual = 100
	// least is what one may grow by that has reached the floor, in percent of what is in use.
	least = 50
	// smallest is the heap that Go does not collect below, where it may grow by 100 percent. At more it is as much larger.
	smallest = 4 << 20
	// What was in use when the heap was collected last, and what of stacks and variables was looked through for it, in bytes.
	liveMetric    = "/gc/heap/live:bytes"
	stackMetric   = "/gc/scan/stack:bytes"
	globalsMetric = "/gc/scan/globals:bytes"
)

// Keep has the heap of this process grow to about so many bytes before it is collected, until stop is called. Where the
// environment sets GOGC that counts, and nothing is done.
func Keep(bytes uint64) (stop func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	k := &keeper{floor: bytes}
	k.adjust()
	collected := &sentinel{k}
	runtime.SetFinalizer(collected, (*sentinel).finalize)
	return k.stop
}

// keeper sets after each collection how much the heap may grow until the next.
type keeper struct {
	floor   uint64
	percent atomic.Int64
	stopped atomic.Bool
}

// sentinel is what nobody refers to, so that each collection finds it.
type sentinel struct{ *keeper }

func (s *sentinel) finalize() {
	if s.stopped.Load() {
		return
	}
	s.adjust()
	runtime.SetFinalizer(s, (*sentinel).finalize)
}

func (k *keeper) adjust() {
	last := []metrics.Sample{{Name: liveMetric}, {Name: stackMetric}, {Name: globalsMetric}}
	metrics.Read(last)
	roots := last[1].Value.Uint64() + last[2].Value.Uint64()
	if next := percent(last[0].Value.Uint64(), roots, k.floor); k.percent.Swap(next) != next {
		debug.SetGCPercent(int(next))
	}
}

func (k *keeper) stop() {
	k.stopped.Store(true)
	debug.SetGCPercent(usual)
}

// percent is how much a heap may grow, in percent of what is in use and of the roots, which Go has it grow by as well
// (https://go.dev/doc/gc-guide#GOGC). It goes in steps: to set it stops the world.
func percent(live, roots, floor uint64) int64 {
	const step = 50
	if live >= floor {
		return least
	}
	grows := (floor - live) * 100 / max(live+roots, 1) / step * step
	return int64(max(min(grows, floor*100/smallest), least)) //nolint:gosec // G115: a floor is far from overflowing it
}
