package proof

import (
	"cmp"
	"math/rand/v2"
	"time"
)

// trial is a target and what came of trying it.
type trial struct {
	Target
	outcome Outcome
	// failed is how many times running, since when.
	failed int
	since  time.Time
	// due is when it is tried next; zero: at once.
	due time.Time
}

func (t *trial) before(other *trial) bool {
	return cmp.Or(t.due.Compare(other.due), cmp.Compare(t.Host, other.Host)) < 0
}

func (t *trial) succeed(now time.Time, interval time.Duration) {
	t.outcome, t.failed = Outcome{Verdict: Proven}, 0
	t.due = now.Add(about(interval))
}

// fail believes it the second time, and what may pass when it has not.
func (t *trial) fail(failure Failure, now time.Time, interval time.Duration) {
	if t.failed == 0 {
		t.since = now
	}
	t.failed++
	t.due = now.Add(min(about(retryAfter(t.failed)), interval))
	known := t.outcome.Verdict == Failed && t.outcome.Failure.Reason == failure.Reason
	lasts := t.failed >= failures && (!failure.MayPass || now.Sub(t.since) >= passesAfter)
	if lasts && !known {
		t.outcome = Outcome{Verdict: Failed, Failure: failure}
	}
}

func retryAfter(failed int) time.Duration {
	wait := firstRetry
	for range failed - 1 {
		wait = min(2*wait, maxRetry)
	}
	return wait
}

// about keeps what began at one moment on many nodes from coming again at one moment.
func about(d time.Duration) time.Duration {
	return d - d/10 + time.Duration(rand.Int64N(int64(d/5)+1)) //nolint:gosec // G404: nobody gains by guessing it
}
