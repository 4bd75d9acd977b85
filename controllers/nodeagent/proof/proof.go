// Package proof finds out whether a node's runtime really pulls through its hubs: for each host it has the runtime pull the
// hub's canary from that host, which nobody but the hub can answer, and removes it again.
//
// Pulls are made one at a time, and apart from each other, so that fifty hubs cost a node nothing that anybody notices.
package proof

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	goruntime "runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
)

// Images is what the prover asks of the runtime.
type Images interface {
	// Pull has the runtime pull an image, and says what it then calls it.
	Pull(ctx context.Context, image string) (string, error)
	// Remove has the runtime remove an image.
	Remove(ctx context.Context, image string) error
	// Tags are the names of the images that the runtime has.
	Tags(ctx context.Context) ([]string, error)
}

// Target is a host whose wiring is to be proven.
type Target struct {
	// Host of the registry, as in image references; or "*" for every host that has no wiring of its own.
	Host string
	// HubUID is the UID of the hub that should answer.
	HubUID string
	// Wiring names what is in force: when it changes, what was proven before proves nothing.
	Wiring string
}

// Verdict says what is known of a target.
type Verdict int

// The verdicts.
const (
	// Pending: it has not been tried yet, or failed once and is about to be tried again.
	Pending Verdict = iota
	// Proven: the runtime last got the canary.
	Proven
	// Failed: the runtime did not get the canary, twice running.
	Failed
)

// Outcome is what is known of a target, and why.
type Outcome struct {
	Verdict Verdict
	// Failure is why it failed. It stays the same while it fails on for the same reason, so that what is reported does not
	// change without need.
	Failure Failure
}

// Failure is why a target failed.
type Failure struct {
	// Reason is a word for it.
	Reason string
	// Message says what is the matter and what to do about it.
	Message string
}

// Options of a Prover.
type Options struct {
	Images Images
	// Explain makes of a pull's error what is told of it. It is not in a hurry. Required.
	Explain func(ctx context.Context, target Target, err error) Failure
	// Interval is how long a proof is believed. A tenth of it, more or less, keeps nodes apart. Default: an hour.
	Interval time.Duration
	Logger   logr.Logger
}

const (
	defaultInterval = time.Hour
	// pullTimeout bounds a pull: without the mirror it asks a registry that may be far, or cannot be reached.
	pullTimeout = 30 * time.Second
	// pace is how far apart pulls are.
	pace = time.Second
	// firstRetry comes soon, since a hub that is just starting is no reason for a report; the next ones are each
	// twice as late, since without the mirror they ask the registry itself.
	firstRetry = 10 * time.Second
	maxRetry   = 10 * time.Minute
	// failures that make a verdict.
	failures = 2
)

// Prover proves targets, from Run's beginning to its end.
type Prover struct {
	Options

	mu      sync.Mutex
	targets map[string]*trial
	woken   chan struct{}
	changed chan struct{}
}

// New is a Prover without targets.
func New(options Options) *Prover {
	if options.Interval == 0 {
		options.Interval = defaultInterval
	}
	return &Prover{Options: options, targets: map[string]*trial{}, woken: make(chan struct{}, 1), changed: make(chan struct{}, 1)}
}

// Prove names all targets there are. One that is as before keeps its outcome; a new or changed one is tried at once.
func (p *Prover) Prove(targets []Target) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.targets
	p.targets = map[string]*trial{}
	for _, target := range targets {
		if known := before[target.Host]; known != nil && known.Target == target {
			p.targets[target.Host] = known
			continue
		}
		p.targets[target.Host] = &trial{Target: target}
		tell(p.woken)
	}
}

// Outcome is what is known of a target. One that is not among those to prove is Pending.
func (p *Prover) Outcome(target Target) Outcome {
	p.mu.Lock()
	defer p.mu.Unlock()
	if known := p.targets[target.Host]; known != nil && known.Target == target {
		return known.outcome
	}
	return Outcome{}
}

// Changed gets a value after an outcome has changed. Several changes may make one.
func (p *Prover) Changed() <-chan struct{} { return p.changed }

// Run proves until the context ends.
func (p *Prover) Run(ctx context.Context) {
	p.removeLeftovers(ctx)
	for ctx.Err() == nil {
		next, wait := p.next(time.Now())
		if next == nil {
			p.sleep(ctx, wait)
			continue
		}
		err := p.try(ctx, next.Target)
		if ctx.Err() != nil {
			return
		}
		p.conclude(ctx, next, err)
		rest(ctx, pace)
	}
}

// next is the trial that has been due for longest, or how long it is until one is.
func (p *Prover) next(now time.Time) (*trial, time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var first *trial
	for _, one := range p.targets {
		if first == nil || one.before(first) {
			first = one
		}
	}
	switch {
	case first == nil:
		return nil, p.Interval
	case first.due.After(now):
		return nil, first.due.Sub(now)
	}
	return first, 0
}

func (p *Prover) conclude(ctx context.Context, t *trial, err error) {
	var failure Failure
	if err != nil {
		failure = p.Explain(ctx, t.Target, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	before := t.outcome
	if err == nil {
		t.succeed(time.Now(), p.Interval)
	} else {
		t.fail(failure, time.Now(), p.Interval)
	}
	if p.targets[t.Host] != t || t.outcome == before {
		return
	}
	if t.outcome.Verdict == Failed {
		p.Logger.Info("The runtime does not pull through the hub", "host", t.Host, "reason", failure.Reason, "message", failure.Message)
	} else {
		p.Logger.Info("The runtime pulls through the hub", "host", t.Host)
	}
	tell(p.changed)
}

// try has the runtime pull a canary that nobody has pulled before, and removes it whatever came of it.
func (p *Prover) try(ctx context.Context, target Target) error {
	name := configv1alpha1.CanaryName{Architecture: goruntime.GOARCH, Nonce: newNonce()}
	image := imageOf(target.Host, name)
	pulling, cancel := context.WithTimeout(ctx, pullTimeout)
	defer cancel()
	ref, err := p.Images.Pull(pulling, image)
	if removed := p.Images.Remove(context.WithoutCancel(ctx), image); removed != nil {
		p.Logger.V(1).Info("The canary could not be removed", "host", target.Host, "error", removed.Error())
	}
	if err != nil {
		return &pullError{image: imageOf(target.Host, configv1alpha1.CanaryName{Architecture: name.Architecture, Nonce: "NONCE"}), nonce: name.Nonce, cause: err}
	}
	return compare(target, name, ref)
}

func imageOf(host string, name configv1alpha1.CanaryName) string {
	return configv1alpha1.CanaryHost(host) + "/" + name.Repository() + ":" + configv1alpha1.CanaryTag
}

// newNonce is 16 random bytes: crypto/rand never fails.
func newNonce() string {
	var nonce [16]byte
	_, _ = rand.Read(nonce[:])
	return hex.EncodeToString(nonce[:])
}

// removeLeftovers removes canaries that an earlier agent was stopped before it could.
func (p *Prover) removeLeftovers(ctx context.Context) {
	tags, err := p.Images.Tags(ctx)
	if err != nil {
		p.Logger.V(1).Info("Canaries of an earlier agent are not looked for", "error", err.Error())
		return
	}
	for _, tag := range slices.DeleteFunc(tags, isNoCanary) {
		if err := p.Images.Remove(ctx, tag); err != nil {
			p.Logger.V(1).Info("A canary of an earlier agent could not be removed", "error", err.Error())
		}
	}
}

func isNoCanary(tag string) bool {
	_, repository, _ := strings.Cut(strings.TrimSuffix(tag, ":"+configv1alpha1.CanaryTag), "/")
	_, is := configv1alpha1.ParseCanaryRepository(repository)
	return !is
}

// sleep waits for so long, or for a new target.
func (p *Prover) sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.woken:
	case <-ctx.Done():
	}
}

func rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// tell leaves a value for whoever looks next.
func tell(waiting chan struct{}) {
	select {
	case waiting <- struct{}{}:
	default:
	}
}
