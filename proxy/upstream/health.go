package upstream

import (
	"context"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

const (
	// refusalsInDoubt is how many answers of 5xx in a row make an upstream doubtful. One object that is broken there
	// gets at most so many before an answer about another one.
	refusalsInDoubt = 3
	// slowAfter is how long a request may be without an answer before the upstream is doubtful.
	slowAfter = 2 * time.Second
	// firstProbeDelay comes before the second probe, and doubles from there up to maxProbeDelay, or wantedProbeDelay
	// while there are requests.
	firstProbeDelay  = 250 * time.Millisecond
	wantedProbeDelay = time.Second
	maxProbeDelay    = 5 * time.Second
)

// health is the circuit breaker of one upstream. What requests meet makes it doubtful: no answer, none for a while, or
// refusalsInDoubt times 5xx. A probe then decides, so that neither one broken object nor one slow one takes the
// upstream away: only when the probe fails too, with no answer to anybody meanwhile, is the circuit opened. Probes
// go on until one is answered, or a request is. There is a goroutine for them while there is doubt, and none otherwise.
type health struct {
	// probe asks the upstream for what any registry has. Its error is *StatusError when the answer is 5xx.
	probe func(context.Context) error
	// changed is told of the circuit: true is closed. It is called under the lock, so that the last word is true.
	changed func(up bool)

	life context.Context //nolint:containedctx // It is the life of the client, which no call has.
	end  context.CancelFunc

	mu       sync.Mutex
	open     bool
	answered time.Time // when an answer below 500 came last
	refusals int       // 5xx since
	// refusing says that the last probe was answered 5xx. One request at a time is let through then: it costs no wait,
	// and some upstreams have nothing but 5xx for the probe.
	refusing bool
	trial    bool // such a request is under way
	watch    *watch
	running  sync.WaitGroup
}

func newHealth(probe func(context.Context) error, changed func(up bool)) *health {
	life, end := context.WithCancel(context.Background())
	return &health{probe: probe, changed: changed, life: life, end: end}
}

// watch is the probing of one time of doubt.
type watch struct {
	cancel context.CancelFunc
	// wanted says that a request was turned away since the last probe.
	wanted chan struct{}
}

// admit returns what is to be called when the request has its answer or error; nil when it must not be sent.
func (h *health) admit() (done func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case !h.open:
		return func() {}
	case h.refusing && !h.trial:
		h.trial = true
		return h.tried
	}
	if h.watch != nil {
		h.watch.want()
	}
	return nil
}

func (h *health) tried() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.trial = false
}

// expect makes the upstream doubtful unless the timer is stopped in time.
func (h *health) expect() *time.Timer {
	began := time.Now()
	return time.AfterFunc(slowAfter, func() { h.unanswered(began) })
}

// unanswered says that a request which began then has no answer. An answer to another one since then counts for more.
func (h *health) unanswered(began time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.answered.After(began) {
		h.doubt()
	}
}

// answer says that an answer came, with this status.
func (h *health) answer(status int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if status < http.StatusInternalServerError {
		h.well()
		return
	}
	if h.refusals++; h.refusals >= refusalsInDoubt {
		h.refusals = 0
		h.doubt()
	}
}

// found is whether the upstream answers; known is false until a request has shown either.
func (h *health) found() (up, known bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.open, h.open || !h.answered.IsZero()
}

func (h *health) announce() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.changed(!h.open)
}

func (h *health) well() {
	h.answered, h.refusals, h.refusing = time.Now(), 0, false
	if h.watch != nil {
		h.watch.cancel()
		h.watch = nil
	}
	if h.open {
		h.open = false
		h.changed(true)
	}
}

// doubt begins to probe, for longer than the request that met the trouble may live.
func (h *health) doubt() {
	if h.watch != nil || h.life.Err() != nil {
		return
	}
	ctx, cancel := context.WithCancel(h.life)
	w := &watch{cancel: cancel, wanted: make(chan struct{}, 1)}
	h.watch = w
	h.running.Go(func() {
		defer cancel()
		h.run(ctx, w)
	})
}

func (h *health) run(ctx context.Context, w *watch) {
	for delay := firstProbeDelay; ; delay = min(2*delay, maxProbeDelay) {
		if !h.judge(w, h.probe(ctx)) || !w.wait(ctx, jittered(delay)) {
			return
		}
	}
}

// judge opens or closes the circuit by what a probe met, and reports whether to probe again.
func (h *health) judge(w *watch, err error) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.watch != w {
		return false // A request was answered meanwhile.
	}
	if err == nil {
		h.well()
		return false
	}
	h.refusing = Status(err) != 0
	if !h.open {
		h.open = true
		h.changed(false)
	}
	return true
}

// close ends the probing, and waits for it. The circuit is closed, for requests that are still under way.
func (h *health) close() {
	h.mu.Lock()
	h.end()
	h.open, h.watch = false, nil
	h.mu.Unlock()
	h.running.Wait()
}

// jittered keeps the replicas of a hub from probing in step.
func jittered(d time.Duration) time.Duration {
	return d - rand.N(d/4) //nolint:gosec // G404: nobody gains by guessing it.
}

// want has the next probe made soon.
func (w *watch) want() {
	select {
	case w.wanted <- struct{}{}:
	default: // It is wanted already.
	}
}

// wait waits for the time of the next probe: after the delay, or after wantedProbeDelay when somebody wants it. It
// reports false when there is to be none.
func (w *watch) wait(ctx context.Context, delay time.Duration) bool {
	if delay <= wantedProbeDelay {
		return pass(ctx, delay, nil)
	}
	return pass(ctx, wantedProbeDelay, nil) && pass(ctx, delay-wantedProbeDelay, w.wanted)
}

// pass waits for a time, for less when it is cut short; false when the context ends.
func pass(ctx context.Context, d time.Duration, short <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-short:
		return true
	case <-ctx.Done():
		return false
	}
}
