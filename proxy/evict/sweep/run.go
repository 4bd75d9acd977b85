package sweep

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/registryhub/registryhub/proxy/evict"
	"github.com/registryhub/registryhub/proxy/store"
)

// sampleSize is how many objects are looked at for one in sampleShare of them to go.
const (
	sampleSize  = 64
	sampleShare = 4
)

// run is one look at the store, and what went.
type run struct {
	*Sweeper
	plan    *evict.Plan
	full    bool // a write found no room
	sampled bool
	gone    map[evict.Reason]gone
	err     error // the first that was met
}

type gone struct{ objects, bytes int64 }

// sweep looks once how full the store is and removes what its policy wants gone.
func (s *Sweeper) sweep(ctx context.Context, full bool) {
	elected := s.elected(ctx)
	usage, ok := s.measure(ctx)
	if !ok {
		return
	}
	if !elected && !s.alone(usage, full) {
		s.short.Store(false) // it is the elected that knows
		return
	}
	r := &run{Sweeper: s, plan: s.Policy.Plan(usage, full, time.Now()), full: full, gone: map[evict.Reason]gone{}}
	r.takeFromTable(ctx)
	s.scanIfDue(ctx, r.plan.Short())
	r.takeFromSamples(ctx)
	if r.err != nil {
		s.trouble(ctx, r.err, "store not swept")
	}
	r.tell(ctx)
}

// elected reports whether it is this process that removes, of those that share the store.
func (s *Sweeper) elected(ctx context.Context) bool {
	shared, ok := s.Store.(store.Shared)
	elected := !ok || shared.Elected(ctx)
	s.Metrics.Elected(elected)
	return elected
}

// alone reports whether nobody but this process knows that there is no room: what it could not write was large, and the store is
// below its high watermark.
func (s *Sweeper) alone(usage store.Usage, full bool) bool { return full && !s.Policy.Over(usage) }

func (s *Sweeper) measure(ctx context.Context) (store.Usage, bool) {
	usage, err := s.Store.Usage(ctx)
	if err != nil {
		s.trouble(ctx, err, "store not measured")
		return usage, false
	}
	s.Metrics.Space(usage.Capacity, usage.Used, usage.Inodes, usage.UsedInodes)
	s.largest.Store(s.Policy.Largest(usage))
	s.figures.Store(&Figures{Usage: usage, LastEviction: s.Figures().LastEviction})
	return usage, true
}

func (r *run) takeFromTable(ctx context.Context) {
	for r.goOn(ctx) {
		e, ok := r.table.Oldest()
		if !ok {
			return
		}
		reason, goes := r.plan.Victim(e)
		if !goes {
			return
		}
		r.table.Take()
		r.remove(ctx, e, reason)
	}
}

// takeFromSamples makes room until there is enough, or a sample has nothing that can go.
func (r *run) takeFromSamples(ctx context.Context) {
	for r.plan.Short() && r.goOn(ctx) {
		var sample []store.Entry
		r.note(r.Store.Sample(ctx, sampleSize, func(e store.Entry) error {
			sample = append(sample, e)
			return nil
		}))
		if r.takeOldest(ctx, sample) == 0 {
			return
		}
		r.sampled = true
	}
}

// takeOldest removes the least recently used of a sample, and returns how many went. An object that cannot be removed does
// not stand in the way of the others.
func (r *run) takeOldest(ctx context.Context, sample []store.Entry) (removed int) {
	slices.SortFunc(sample, func(a, b store.Entry) int { return a.LastAccess.Compare(b.LastAccess) })
	for _, e := range sample {
		reason, goes := r.plan.Victim(e)
		if !goes || removed > len(sample)/sampleShare || ctx.Err() != nil {
			break
		}
		if r.remove(ctx, e, reason) {
			removed++
		}
	}
	return removed
}

// remove reports whether an object went. One that is in use, or went by itself, is passed over.
func (r *run) remove(ctx context.Context, e store.Entry, reason evict.Reason) bool {
	err := r.Store.Remove(ctx, e.Digest, e.LastAccess)
	if errors.Is(err, store.ErrInUse) || errors.Is(err, store.ErrNotFound) {
		return false
	}
	if err != nil {
		r.note(err)
		return false
	}
	r.plan.Freed(e)
	sum := r.gone[reason]
	r.gone[reason] = gone{sum.objects + 1, sum.bytes + e.Size}
	return true
}

func (r *run) note(err error) {
	if r.err == nil {
		r.err = err
	}
}

func (r *run) goOn(ctx context.Context) bool { return r.err == nil && ctx.Err() == nil }

// tell counts and logs what went, once a run.
func (r *run) tell(ctx context.Context) {
	var all gone
	var reasons []string
	now := time.Now()
	for _, reason := range evict.Reasons {
		if one := r.gone[reason]; one.objects > 0 {
			all = gone{all.objects + one.objects, all.bytes + one.bytes}
			reasons = append(reasons, string(reason))
			r.Metrics.Evicted(string(reason), one.objects, one.bytes, now)
		}
	}
	r.tellShort(ctx)
	if all.objects == 0 {
		return
	}
	r.figures.Store(&Figures{Usage: r.Figures().Usage, LastEviction: now})
	r.Logger.Info("objects evicted", "hub", r.Hub, "objects", all.objects, "bytes", all.bytes, "reasons", reasons, "sampled", r.sampled)
	r.measure(ctx)
}

// tellShort tells, when it begins and when it is over, that all went that can and it was not enough: others fill the place,
// or everything is in use. What a write had no room for may have been larger than all that, which says nothing.
func (r *run) tellShort(ctx context.Context) {
	was, short := r.short.Load(), r.plan.Short()
	if short == was || r.full || ctx.Err() != nil || (short && r.err != nil) {
		return
	}
	r.short.Store(short)
	if short {
		r.Logger.Info("store stays over its low watermark: nothing more of it can go", "hub", r.Hub)
		return
	}
	r.Logger.Info("store is within its watermarks again", "hub", r.Hub)
}
