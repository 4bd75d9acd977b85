// Package probe asks the hubs, from the node's own network, whether they answer: what the agent tells containerd of a hub
// depends on it. It knows nothing of Kubernetes.
//
// A hub is Alive from its first answer on. Two failures in a row, of whatever kind, make it Dead, which takes at most the
// interval and 2.5 s. What was dead comes back after three answers over some seconds, and later each time that it dies
// again soon.
//
// Each question costs a hub one connection of its own, about ten packets and a kilobyte. With n nodes that is n divided
// by the interval a second, so that the interval has to grow with the number of nodes.
package probe

import (
	"context"
	"crypto/tls"
	"maps"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
)

// Target is who is asked: one hub at one endpoint. At another endpoint it is somebody else, of whom nothing is known.
type Target struct {
	// Hub is its name.
	Hub string
	// Endpoint is the URL of its registry API, http or https, without a path.
	Endpoint string
}

// Options of a Prober.
type Options struct {
	// TLS gives the configuration for an https endpoint, before each question, so that certificates can change. It must
	// be the same value while they do not, or sessions are not resumed. Default: the system's roots, no client
	// certificate. An error counts as a failure of the hub: containerd could not reach it with these files either.
	TLS func(Target) (*tls.Config, error)
	// Logger tells when a hub comes or goes. Default: nothing is told.
	Logger logr.Logger
}

// Prober keeps asking. Follow says whom, and Run does it.
type Prober struct {
	options  Options
	wanted   chan []Target
	changed  chan struct{}
	interval atomic.Int64

	mu     sync.Mutex
	health map[Target]Health
}

// New makes a Prober that asks nobody yet.
func New(options Options) *Prober {
	if options.TLS == nil {
		options.TLS = func(Target) (*tls.Config, error) { return nil, nil }
	}
	return &Prober{options: options, wanted: make(chan []Target, 1), changed: make(chan struct{}, 1), health: map[Target]Health{}}
}

// Follow makes these the targets that are asked, one question each interval. Those that were followed before go on as
// they were; the others begin as Unknown. It is not for calls at once.
func (p *Prober) Follow(targets []Target, interval time.Duration) {
	p.interval.Store(int64(interval))
	if !p.begin(targets) {
		return
	}
	select {
	case <-p.wanted: // which Run has not come to yet
	default:
	}
	p.wanted <- targets
}

// begin says whether the targets are others than before.
func (p *Prober) begin(targets []Target) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	next := make(map[Target]Health, len(targets))
	changed := len(targets) != len(p.health)
	for _, target := range targets {
		health, there := p.health[target]
		if !there {
			health, changed = begin(now), true
		}
		next[target] = health
	}
	p.health = next
	return changed
}

// Health is what is known of each target that is followed.
func (p *Prober) Health() map[Target]Health {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.health)
}

func (p *Prober) of(target Target) (Health, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	health, followed := p.health[target]
	return health, followed
}

// Changed receives after the State of any target has changed.
func (p *Prober) Changed() <-chan struct{} { return p.changed }

// Run asks until the context ends.
func (p *Prober) Run(ctx context.Context) {
	var asking sync.WaitGroup
	defer asking.Wait()
	stops := map[Target]context.CancelFunc{}
	defer func() {
		for _, stop := range stops {
			stop()
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return
		case targets := <-p.wanted:
			stops = p.keep(ctx, stops, targets, &asking)
		}
	}
}

// keep starts whom is not asked yet, and stops the others.
func (p *Prober) keep(ctx context.Context, running map[Target]context.CancelFunc, targets []Target, asking *sync.WaitGroup) map[Target]context.CancelFunc {
	next := make(map[Target]context.CancelFunc, len(targets))
	for _, target := range targets {
		if stop, there := running[target]; there {
			next[target] = stop
			delete(running, target)
			continue
		}
		one, stop := context.WithCancel(ctx)
		next[target] = stop
		asking.Go(func() { p.watch(one, target) })
	}
	for _, stop := range running {
		stop()
	}
	return next
}

// watch asks one target again and again. A new hub is not asked by all nodes in one instant.
func (p *Prober) watch(ctx context.Context, target Target) {
	interval := func() time.Duration { return time.Duration(p.interval.Load()) }
	pause := time.Duration(chance() * float64(interval()) / 4)
	for wait(ctx, pause) {
		health, followed := p.of(target)
		if !followed {
			return
		}
		began := time.Now()
		err := p.ask(ctx, target, health.patience())
		if ctx.Err() != nil {
			return
		}
		now := time.Now()
		if err == nil {
			health = health.answered(now, chance())
		} else {
			health = health.failed(now, err.Error())
		}
		p.publish(target, health)
		pause = health.pause(interval(), now.Sub(began), chance())
	}
}

func (p *Prober) ask(ctx context.Context, target Target, within time.Duration) error {
	config, err := p.options.TLS(target)
	if err != nil {
		return err
	}
	return ask(ctx, target, config, within)
}

// publish tells of a change of State. Who is not followed any more stays forgotten.
func (p *Prober) publish(target Target, health Health) {
	p.mu.Lock()
	before, followed := p.health[target]
	if followed {
		p.health[target] = health
	}
	p.mu.Unlock()
	if !followed || before.State == health.State {
		return
	}
	p.options.Logger.Info("A hub's state changed", "hub", target.Hub, "endpoint", target.Endpoint, "state", health.State, "cause", health.Cause)
	select {
	case p.changed <- struct{}{}:
	default: // somebody is told already
	}
}

// chance spreads nodes out: nothing depends on its being hard to guess.
func chance() float64 { return rand.Float64() } //nolint:gosec // not a secret

func wait(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
