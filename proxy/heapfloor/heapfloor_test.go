package heapfloor

import (
	"runtime"
	"runtime/metrics"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestPercent(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		live, roots, floor uint64
		want               int64
	}{
		"a small heap grows to the floor":       {4 << 20, 0, 24 << 20, 500},
		"stacks and variables have it grow too": {4 << 20, 6 << 20, 24 << 20, 200},
		"in steps":                              {5 << 20, 0, 24 << 20, 350},
		"half of it doubles":                    {12 << 20, 0, 24 << 20, 100},
		"more than half by half":                {20 << 20, 0, 24 << 20, 50},
		"more than all by half":                 {100 << 20, 0, 24 << 20, 50},
		"next to nothing to the floor":          {1, 0, 24 << 20, 600},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := percent(tc.live, tc.roots, tc.floor); got != tc.want {
				t.Errorf("got %d, want %d", got, tc.want)
			}
		})
	}
}

func inForce() uint64 {
	sample := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// awaitCollected collects until what counts holds.
func awaitCollected(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline, again := time.After(time.Minute), time.NewTicker(time.Millisecond)
	defer again.Stop()
	for !ok() {
		runtime.GC()
		select {
		case <-again.C:
		case <-deadline:
			t.Fatalf("waited in vain: %s (it is %d)", what, inForce())
		}
	}
}

func TestTheFloorFollowsWhatIsInUse(t *testing.T) {
	stop := Keep(64 << 20)
	awaitCollected(t, "a small heap may grow", func() bool { return inForce() > usual })
	func() {
		large := make([]byte, 80<<20)
		awaitCollected(t, "a large one may grow by half", func() bool { return inForce() == least })
		runtime.KeepAlive(large)
	}()
	awaitCollected(t, "a small one may grow again", func() bool { return inForce() > usual })
	stop()
	if got := inForce(); got != usual {
		t.Errorf("after its end: got %d, want %d", got, usual)
	}
}

func TestWhatTheEnvironmentSetsCounts(t *testing.T) {
	t.Setenv("GOGC", "70")
	before := inForce()
	defer Keep(1 << 40)()
	if got := inForce(); got != before {
		t.Errorf("got %d, want what it was, %d", got, before)
	}
}
