package probe

import "time"

// State is what is believed of a hub.
type State string

// The states of a hub.
const (
	// Unknown: not enough has been heard since the hub is asked to believe either.
	Unknown State = "Unknown"
	// Alive: it answered, and has not failed often enough since.
	Alive State = "Alive"
	// Dead: it failed often enough, and has not answered for long enough since.
	Dead State = "Dead"
)

const (
	// deathAfter is how many failures in a row are a death: one packet that is lost is none.
	deathAfter = 2
	// retryAfter is when a hub that failed for the first time is asked again, counted from when that question began.
	retryAfter = 500 * time.Millisecond
	// patience is how long an answer may take; secondPatience, one that a death depends on. A hub that answers in
	// between is left alive, and one that is dead is not brought back.
	patience, secondPatience = time.Second, 1500 * time.Millisecond

	// revivalAfter is how many answers in a row a dead hub needs, over at least a hold-down: between one and two times
	// its length, by chance, so that the nodes of a cluster do not come back in one instant.
	revivalAfter = 3
	// A hold-down is the shortest at first, doubles with each death within forgivenAfter of the revival before it, and
	// is never longer than the longest.
	shortestHold, longestHold = 3 * time.Second, 2 * time.Minute
	forgivenAfter             = 10 * time.Minute
)

// Health is what the answers of a hub amount to. It is a value: each answer makes the next from it.
type Health struct {
	// State that is believed.
	State State
	// Since is when the State began. That of an Unknown hub began when it was first to be asked.
	Since time.Time
	// Missing is when the hub was first to be asked, or was last alive; it says nothing while the hub is Alive. What
	// makes a hub Dead does not touch it.
	Missing time.Time
	// Seen: it was Alive at some time.
	Seen bool
	// Cause is the failure that made the hub Dead. It names no time and no port of this node's, so that it reads the
	// same for the same trouble.
	Cause string

	failures int
	answers  int
	// answering is when the first of these answers came, of which there must be as many as last until steady is over.
	answering time.Time
	steady    time.Duration
	hold      time.Duration
}

// begin is the Health of a hub that nothing was heard of.
func begin(now time.Time) Health { return Health{State: Unknown, Since: now, Missing: now} }

// answered is the Health after an answer. chance is from 0 up to 1.
func (h Health) answered(now time.Time, chance float64) Health {
	h.failures = 0
	switch h.State {
	case Alive:
		return h
	case Unknown:
		return h.alive(now)
	case Dead:
	}
	if h.answers == 0 {
		h.answering, h.steady = now, h.hold+time.Duration(chance*float64(h.hold))
	}
	h.answers++
	if h.answers < revivalAfter || now.Sub(h.answering) < h.steady {
		return h
	}
	return h.alive(now)
}

func (h Health) alive(now time.Time) Health {
	return Health{State: Alive, Since: now, Seen: true, hold: h.hold}
}

// failed is the Health after a failure.
func (h Health) failed(now time.Time, cause string) Health {
	h.answers = 0
	h.failures++
	if h.State == Dead || h.failures < deathAfter {
		return h
	}
	dead := Health{State: Dead, Since: now, Missing: h.Missing, Seen: h.Seen, Cause: cause, hold: h.nextHold(now)}
	if h.State == Alive {
		dead.Missing = now
	}
	return dead
}

func (h Health) nextHold(now time.Time) time.Duration {
	if h.State == Alive && now.Sub(h.Since) < forgivenAfter {
		return min(max(2*h.hold, shortestHold), longestHold)
	}
	return shortestHold
}

// doubted: the next failure is a death.
func (h Health) doubted() bool { return h.State != Dead && h.failures == deathAfter-1 }

// patience is how long the next answer may take.
func (h Health) patience() time.Duration {
	if h.doubted() {
		return secondPatience
	}
	return patience
}

// pause is the time until the hub is asked again, after an answer that took so long. It is between three quarters of the
// interval and all of it, by chance, so that nodes that were started at once do not ask at once for ever.
func (h Health) pause(interval, took time.Duration, chance float64) time.Duration {
	if h.doubted() {
		return max(0, retryAfter-took)
	}
	return interval - time.Duration(chance*float64(interval)/4)
}
