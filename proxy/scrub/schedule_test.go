package scrub

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/registryhub/registryhub/proxy/store"
)

func TestEachPartHasItsTurnOnceARound(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		period := time.Duration(rapid.Int64Range(int64(time.Hour), int64(8760*time.Hour)).Draw(t, "period"))
		now := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "now"), 0)
		first := slotAt(now, period)
		if begins, next := first.begins(period), (first + 1).begins(period); begins.After(now) || !next.After(now) {
			t.Fatalf("at %s it is the turn that begins at %s, and the next at %s", now, begins, next)
		}
		seen := map[byte]bool{}
		for turn := first; turn < first+store.Parts; turn++ {
			seen[turn.part()] = true
		}
		if took := (first + store.Parts).begins(period).Sub(first.begins(period)); len(seen) != store.Parts || took > period || took < period-time.Microsecond {
			t.Fatalf("%d parts have their turn in %s, want all %d in %s", len(seen), took, store.Parts, period)
		}
	})
}

func TestPaceIsKeptAndRestIsNotSavedUp(t *testing.T) {
	t.Parallel()
	p, now := pacer{bytesPerSecond: 1000}, time.Unix(1000, 0)
	for i, step := range []struct {
		after time.Duration
		bytes int64
		want  time.Duration
	}{
		{0, 500, 0},
		{0, 1000, 500 * time.Millisecond},
		{time.Second, 1000, 500 * time.Millisecond},
		{time.Hour, 1000, 0},
		{0, 1, time.Second},
	} {
		now = now.Add(step.after)
		if got := p.wait(now, step.bytes); got != step.want {
			t.Errorf("step %d: wait %s, want %s", i, got, step.want)
		}
	}
}
