package proxies

import (
	"cmp"
	"math/bits"
	"time"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
)

// What has moved by less than this is not written, so that a hub that nothing happens to writes nothing.
const (
	// capacityMoves in percent of what it was.
	capacityMoves = 1
	// usedMoves in percent of the capacity.
	usedMoves = 5
	// objectsMove in percent of what they were, and by so many at least.
	objectsMove, objectsMoveBy = 10, 10
	// hitsMove in percent of all lookups.
	hitsMove = 5
	// remainingMoves in percent of the limit; below remainingLow percent it tells at once.
	remainingMoves, remainingLow = 10, 10
	// evictionMoves is how much later an eviction is than the one before.
	evictionMoves = time.Hour
)

// fewestLookups make a share. A proxy that has just started has had none.
const fewestLookups = 20

// Figures are those of a hub: of all its Pods together, to as many digits as a person reads.
type Figures struct {
	// Capacity of the store and what is Used of it, in bytes; 0 and 0 while not known.
	Capacity, Used int64
	// Objects in the store; nil while not known.
	Objects *int64
	// HitPercent is the share of lookups that needed no transfer; nil while there were too few.
	HitPercent *int32
	// LastEviction is when something was last evicted, to the second; zero while not known.
	LastEviction time.Time
	// Upstreams by name; those of which nothing is known are missing.
	Upstreams map[string]Upstream
}

// Upstream is what is known of one upstream.
type Upstream struct {
	// Reachable is nil while it was not asked for anything.
	Reachable *bool
	// RateLimit is nil while it said nothing of one.
	RateLimit *configv1alpha1.RateLimitFigures
}

// FiguresOf are those of a hub whose Pods said this. On one volume all measure the same, and the last to do so knows best:
// the greatest counts. An upstream is reachable when any Pod reaches it, and of what is left of its limit the least counts.
func FiguresOf(reports []Report) Figures {
	sum := Figures{Upstreams: map[string]Upstream{}}
	var answered, missed float64 // a Pod may say anything: no overflow
	for _, report := range reports {
		if report.Figures == nil {
			continue // it has not answered yet, or is older than figures are
		}
		sum.addStore(report.Figures.Store)
		answered += float64(max(report.Figures.Lookups.Answered, 0))
		missed += float64(max(report.Figures.Lookups.Missed, 0))
		for _, upstream := range report.Figures.Upstreams {
			sum.Upstreams[upstream.Name] = sum.Upstreams[upstream.Name].and(upstream)
		}
	}
	if answered+missed >= fewestLookups {
		sum.HitPercent = new(int32(100 * answered / (answered + missed)))
	}
	return sum
}

func (f *Figures) addStore(said configv1alpha1.StoreFigures) {
	if said.CapacityBytes > 0 && said.UsedBytes >= 0 {
		f.Capacity, f.Used = max(f.Capacity, roundBytes(said.CapacityBytes)), max(f.Used, roundBytes(said.UsedBytes))
	}
	if said.Objects != nil && *said.Objects >= 0 && (f.Objects == nil || *f.Objects < *said.Objects) {
		f.Objects = new(roundCount(*said.Objects))
	}
	if said.LastEviction != nil && said.LastEviction.After(f.LastEviction) {
		f.LastEviction = said.LastEviction.Truncate(time.Second)
	}
}

// and is what is known of an upstream when one more Pod says this.
func (u Upstream) and(said configv1alpha1.UpstreamFigures) Upstream {
	if said.Reachable != nil && (u.Reachable == nil || *said.Reachable) {
		u.Reachable = said.Reachable
	}
	if limit := said.RateLimit; limit != nil && (u.RateLimit == nil || limit.Remaining < u.RateLimit.Remaining) {
		u.RateLimit = limit
	}
	return u
}

// Or fills what is not known from what was known before.
func (f Figures) Or(before Figures) Figures {
	if f.Capacity == 0 {
		f.Capacity, f.Used = before.Capacity, before.Used
	}
	f.Objects, f.HitPercent = cmp.Or(f.Objects, before.Objects), cmp.Or(f.HitPercent, before.HitPercent)
	if f.LastEviction.Before(before.LastEviction) {
		f.LastEviction = before.LastEviction
	}
	upstreams := make(map[string]Upstream, len(f.Upstreams))
	for name, was := range before.Upstreams {
		upstreams[name] = was
	}
	for name, is := range f.Upstreams {
		was := before.Upstreams[name]
		upstreams[name] = Upstream{Reachable: cmp.Or(is.Reachable, was.Reachable), RateLimit: cmp.Or(is.RateLimit, was.RateLimit)}
	}
	f.Upstreams = upstreams
	return f
}

// Moved says whether figures are so different that it matters. What is not known any more has not moved.
func Moved(before, after Figures) bool {
	switch {
	case after.Capacity != 0 && movedSpace(before, after),
		after.Objects != nil && (before.Objects == nil || movedObjects(*before.Objects, *after.Objects)),
		after.HitPercent != nil && (before.HitPercent == nil || isShare(int64(*before.HitPercent), int64(*after.HitPercent), 100, hitsMove)),
		!after.LastEviction.IsZero() && after.LastEviction.Sub(before.LastEviction) >= evictionMoves:
		return true
	}
	for name, is := range after.Upstreams {
		if movedUpstream(before.Upstreams[name], is) {
			return true
		}
	}
	return false
}

func movedSpace(before, after Figures) bool {
	return before.Capacity == 0 || isShare(before.Capacity, after.Capacity, before.Capacity, capacityMoves) ||
		isShare(before.Used, after.Used, after.Capacity, usedMoves)
}

func movedObjects(before, after int64) bool {
	return (before == 0) != (after == 0) || isShare(before, after, before, objectsMove) && isShare(before, after, objectsMoveBy, 100)
}

func movedUpstream(before, after Upstream) bool {
	if after.Reachable != nil && (before.Reachable == nil || *before.Reachable != *after.Reachable) {
		return true
	}
	return after.RateLimit != nil && (before.RateLimit == nil || movedRateLimit(*before.RateLimit, *after.RateLimit))
}

func movedRateLimit(before, after configv1alpha1.RateLimitFigures) bool {
	return before.Limit != after.Limit || isShare(before.Remaining, after.Remaining, after.Limit, remainingMoves) ||
		isLow(after) && !isLow(before)
}

func isLow(limit configv1alpha1.RateLimitFigures) bool {
	return float64(limit.Remaining) < float64(limit.Limit)*remainingLow/100
}

// isShare says whether two figures differ, by so many percent of a whole at least.
func isShare(a, b, whole int64, percent float64) bool {
	difference := float64(a) - float64(b) // no overflow either
	return a != b && max(difference, -difference) >= float64(whole)*percent/100
}

// roundBytes keeps ten binary digits, which is about three decimal ones, so that what is written is a round number of a
// binary unit.
func roundBytes(n int64) int64 {
	const digits = 10
	return roundTo(n, 1<<max(bits.Len64(uint64(n))-digits, 0)) //nolint:gosec // G115: n is not negative
}

// roundCount keeps three decimal digits.
func roundCount(n int64) int64 {
	unit := int64(1)
	for n/unit >= 1000 {
		unit *= 10
	}
	return roundTo(n, unit)
}

func roundTo(n, unit int64) int64 {
	rest := n % unit
	if rest < unit-rest || n > 1<<62 {
		return n - rest
	}
	return n - rest + unit
}
