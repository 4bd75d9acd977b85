package proxy

import (
	"context"
	"errors"
	"sync"

	"github.com/go-logr/logr"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy/census"
	"github.com/registryhub/registryhub/proxy/evict"
	"github.com/registryhub/registryhub/proxy/evict/forget"
	"github.com/registryhub/registryhub/proxy/evict/sweep"
	"github.com/registryhub/registryhub/proxy/metrics"
	"github.com/registryhub/registryhub/proxy/scrub"
	"github.com/registryhub/registryhub/proxy/store"
	"github.com/registryhub/registryhub/proxy/writable"
)

// upkeep looks after the store while the server serves from it. What a store cannot do is left out.
type upkeep struct {
	measurer store.Measurer
	sweeper  *sweep.Sweeper
	forgets  *forget.Forgetter
	watch    *writable.Watch
	scrubber *scrub.Scrubber
	census   *census.Census
}

// newUpkeep is for a configuration with its defaults filled in. What was pushed is never evicted.
func newUpkeep(whole *config.ProxyConfiguration, content store.Store, logger logr.Logger, figures *metrics.Metrics) *upkeep {
	hub, cfg := whole.Hub, whole.Store
	u := &upkeep{}
	u.measurer, _ = content.(store.Measurer)
	if s, ok := content.(store.Evictable); ok && whole.Local == nil {
		u.sweeper = sweep.New(sweep.Options{Hub: hub, Store: s, Policy: policy(cfg.Eviction), Logger: logger, Metrics: figures})
	}
	if s, ok := content.(store.Forgetful); ok && u.sweeper != nil {
		u.forgets = forget.New(forget.Options{Hub: hub, Store: s, Short: u.sweeper.Short, Logger: logger, Metrics: figures})
	}
	if s, ok := content.(store.Prober); ok {
		u.watch = writable.New(writable.Options{Hub: hub, Store: s, Logger: logger, Metrics: figures})
	}
	if s, ok := content.(store.Scrubbable); ok {
		u.scrubber = scrub.New(scrub.Options{
			Hub: hub, Store: s, Every: cfg.Scrub.Every.Duration, BytesPerSecond: *cfg.Scrub.BytesPerSecond, Logger: logger, Metrics: figures,
		})
		u.census = census.New(census.Options{Hub: hub, Store: s, Logger: logger})
	}
	return u
}

// policy is what the store is held to.
func policy(eviction config.EvictionConfiguration) evict.Policy {
	p := evict.Policy{HighWatermarkPercent: *eviction.HighWatermarkPercent, LowWatermarkPercent: *eviction.LowWatermarkPercent}
	if eviction.MaxIdle != nil {
		p.MaxIdle = eviction.MaxIdle.Duration
	}
	return p
}

// configure takes what of a configuration can change while the store is served from.
func (u *upkeep) configure(cfg config.StoreConfiguration) {
	if u.sweeper != nil {
		u.sweeper.SetPolicy(policy(cfg.Eviction))
	}
	if u.scrubber != nil {
		u.scrubber.SetPace(cfg.Scrub.Every.Duration, *cfg.Scrub.BytesPerSecond)
	}
}

// report says whether the store keeps anything new.
func (u *upkeep) report() config.StoreReport {
	var report config.StoreReport
	if u.watch != nil {
		trouble := u.watch.Trouble()
		report.Full = errors.Is(trouble, store.ErrNoSpace)
		report.Failing = trouble != nil && !report.Full
	}
	if u.sweeper != nil && u.sweeper.Short() {
		report.Full = true
	}
	return report
}

// isFull says whether the store has no room that evicting makes.
func (u *upkeep) isFull() bool { return u.report().Full }

// keeps says whether the store is large enough for an object of so many bytes.
func (u *upkeep) keeps(size int64) bool { return u.sweeper == nil || u.sweeper.Keeps(size) }

// full is called when the store refused a write for want of room.
func (u *upkeep) full() {
	if u.sweeper != nil {
		u.sweeper.Kick()
	}
}

// failed is called when the store failed.
func (u *upkeep) failed(err error) {
	if u.watch != nil {
		u.watch.Failed(err)
	}
}

// run runs it all until the context ends.
func (u *upkeep) run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	if u.sweeper != nil {
		running.Go(func() { u.sweeper.Run(ctx) })
	}
	if u.forgets != nil {
		running.Go(func() { u.forgets.Run(ctx) })
	}
	if u.watch != nil {
		running.Go(func() { u.watch.Run(ctx) })
	}
	if u.scrubber != nil {
		running.Go(func() { u.scrubber.Run(ctx) })
	}
	if u.census != nil {
		running.Go(func() { u.census.Run(ctx) })
	}
}
