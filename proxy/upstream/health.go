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
	// firstProbeDelay comes before the second probe, and doubles from there up to maxProbeDelay.
	firstProbeDelay = 250 * time.Millisecond
	maxProbeDelay   = 5 * time.Second
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
	// trial lets one request through although the circuit is open: some upstreams have nothing but 5xx for the probe.
	trial   bool
	watch   *watch
	running sync.WaitGroup
}

func newHealth(probe func(context.Context) error, changed func(up bool)) *health {
	life, end := context.WithCancel(context.Background())
	return &health{probe: probe, changed: changed, life: life, end: end}
}

// watch is the probing of one time of doubt.
type watch struct{ cancel context.CancelFunc }

// admit reports whether a request may be sent.
func (h *health) admit() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.open {
		return true
	}
	trial := h.trial
	h.trial = false
	return trial
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

func (h *health) well() {
	h.answered, h.refusals, h.trial = time.Now(), 0, false
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
	w := &watch{cancel: cancel}
	h.watch = w
	h.running.Go(func() {
		defer cancel()
		h.run(ctx, w)
	})
}

func (h *health) run(ctx context.Context, w *watch) {
	for delay := firstProbeDelay; ; delay = min(2*delay, maxProbeDelay) {
		if !h.judge(w, h.probe(ctx)) || !wait(ctx, jittered(delay)) {
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
	h.trial = Status(err) != 0
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

func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
