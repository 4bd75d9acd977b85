package nodeagent

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/registryhub/registryhub/controllers/nodeagent/certsd"
	"github.com/registryhub/registryhub/controllers/nodeagent/metrics"
	"github.com/registryhub/registryhub/controllers/nodeagent/probe"
)

// certsDirectory is what the agent asks of certsd.
type certsDirectory interface {
	Reconcile(desired certsd.Desired) (certsd.Result, error)
	Held(host string) (certsd.Files, error)
	Path(host string) string
	Restore() error
}

// prober is what the agent asks of probe.
type prober interface {
	Run(ctx context.Context)
	Follow(targets []probe.Target, interval time.Duration)
	Health() map[probe.Target]probe.Health
	Changed() <-chan struct{}
}

// retryInterval is when files that could not be written are tried again.
const retryInterval = Interval / 10

// keeper keeps the node's files as what is known, and who answers, want them. It does so with nothing but the node: no
// API server can hold it up.
type keeper struct {
	files  certsDirectory
	tls    *nodeTLS
	prober prober
	memory memory
	log    logr.Logger
	// proving is nil where canaries are turned off.
	proving *proving
	// roots are the runtime's other directories of hosts.
	roots laterRoots
	// metrics are told of each pass.
	metrics *metrics.Metrics

	// heard wakes it; news gets an event after each pass.
	heard   chan struct{}
	news    chan event.GenericEvent
	applied atomic.Bool
	trouble string // the last that was told of
	// kept is what lies in the memory.
	kept known

	mu    sync.Mutex
	known *known
	last  *outcome
}

func newKeeper(files certsDirectory, tls *nodeTLS, prober prober, memory memory, log logr.Logger) *keeper {
	return &keeper{
		files: files, tls: tls, prober: prober, memory: memory, log: log, metrics: metrics.New(),
		heard: make(chan struct{}, 1), news: make(chan event.GenericEvent, 1),
	}
}

// hear takes what is known now.
func (k *keeper) hear(now known) {
	k.mu.Lock()
	before := k.known
	k.known = &now
	k.mu.Unlock()
	if before == nil || !before.same(now) {
		signal(k.heard, struct{}{})
	}
}

// remember begins with what the agent before this one knew.
func (k *keeper) remember() known {
	before, err := k.memory.recall()
	if err != nil {
		k.log.Info("Waiting for the API server: what an earlier agent knew cannot be used", "error", err.Error())
	}
	if _, _, complete := before.both(); complete {
		k.hear(before)
	}
	return before
}

// outcome of the last pass; nil before the first.
func (k *keeper) outcome() *outcome {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.last
}

// run keeps the files until the context ends.
func (k *keeper) run(ctx context.Context) {
	var asking sync.WaitGroup
	defer asking.Wait()
	asking.Go(func() { k.prober.Run(ctx) })
	asking.Go(func() { k.proving.run(ctx) })
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.heard:
		case <-k.prober.Changed():
		case <-k.proving.changed():
		case <-timer.C:
		}
		timer.Reset(k.pass())
	}
}

// pass makes the files what they should be now, and says when to look again.
func (k *keeper) pass() time.Duration {
	began := time.Now()
	k.mu.Lock()
	known := k.known
	k.mu.Unlock()
	if known == nil {
		return Interval
	}
	configuration, labels, complete := known.both()
	if !complete {
		k.applied.Store(k.applied.Load() || known.nothingAsked())
		return Interval
	}
	configuration, declined := k.proving.sandbox().decline(configuration)
	w := wire(configuration, labels, k.tls.write(configuration), syntaxOf(known.runtime))
	w.layBeside(k.files.Path, k.held)
	k.prober.Follow(w.targets(), w.interval)
	o := &outcome{wired: w, health: k.prober.Health(), declined: w.declined(declined)}
	files := w.inForce(o.health, k.held)
	var result certsd.Result
	result, o.err = k.bringAbout(w, files)
	o.failed, o.bypassing = result.Failed, w.bypassing(files, result.Theirs)
	if o.err == nil {
		k.tls.sweep(w.files, files, o.failed)
	}
	o.proofs = k.proving.follow(w, files, o.failed)
	k.keep(*known)
	k.tell(w.revision, result, o.err)
	k.metrics.Passed(time.Since(began), len(result.Written), len(result.Withdrawn), o.err, o.figures(files))
	k.conclude(o)
	if o.err != nil {
		return retryInterval
	}
	return Interval
}

// keep remembers what is known. A failure is told of once for each change: it harms only a start without the API server.
func (k *keeper) keep(now known) {
	if k.kept.same(now) {
		return
	}
	k.kept = now
	if err := k.memory.keep(now); err != nil {
		k.log.Error(err, "A restart without the API server would know less than now")
	}
}

// held is what there is now. What cannot be read is not there.
func (k *keeper) held(host string) certsd.Files {
	files, err := k.files.Held(host)
	if err != nil {
		k.log.V(1).Info("The present files of a host cannot be read", "host", host, "error", err.Error())
	}
	return files
}

func (k *keeper) conclude(o *outcome) {
	if o.err == nil {
		k.applied.Store(true)
	}
	k.mu.Lock()
	k.last = o
	k.mu.Unlock()
	signal(k.news, event.GenericEvent{Object: &corev1.Node{}})
}

func (k *keeper) tell(revision int64, result certsd.Result, err error) {
	if len(result.Written) > 0 || len(result.Withdrawn) > 0 {
		k.log.Info("Changed the node's hosts", "revision", revision, "written", result.Written, "withdrawn", result.Withdrawn)
	}
	if result.Unswept != nil {
		k.log.V(1).Info("Old files could not be removed; trying again", "error", result.Unswept.Error())
	}
	trouble := ""
	if err != nil {
		trouble = err.Error()
	}
	if err != nil && trouble != k.trouble {
		k.log.Error(err, "The node's hosts could not be brought about; trying again", "hosts", len(result.Failed))
	}
	k.trouble = trouble
}

var errNotApplied = errors.New("the NodeConfiguration has not been brought about yet")

func (k *keeper) ready(*http.Request) error {
	if !k.applied.Load() {
		return errNotApplied
	}
	return nil
}

// restore takes the node back to how it was without us. What names a file goes before it.
func (k *keeper) restore() error {
	err := k.files.Restore()
	if err == nil {
		err = k.tls.store.Remove()
	}
	return errors.Join(err, k.memory.forget())
}

// signal tells who waits, and nobody twice.
func signal[T any](to chan T, what T) {
	select {
	case to <- what:
	default:
	}
}
