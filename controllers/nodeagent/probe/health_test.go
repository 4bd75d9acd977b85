package probe

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// heard is what came of one question, so long after the one before.
type heard struct {
	after   time.Duration
	trouble string
}

func answers(count int, every time.Duration) []heard {
	all := make([]heard, count)
	for i := range all {
		all[i].after = every
	}
	return all
}

func failures(count int) []heard {
	all := make([]heard, count)
	for i := range all {
		all[i] = heard{time.Second, "refused"}
	}
	return all
}

func join(parts ...[]heard) []heard {
	var all []heard
	for _, part := range parts {
		all = append(all, part...)
	}
	return all
}

// hear is the Health after all of it, and when that was.
func hear(all []heard, chance float64) (Health, time.Time) {
	now := epoch
	health := begin(now)
	for _, one := range all {
		now = now.Add(one.after)
		if one.trouble == "" {
			health = health.answered(now, chance)
		} else {
			health = health.failed(now, one.trouble)
		}
	}
	return health, now
}

func TestHealth(t *testing.T) {
	t.Parallel()
	const s = time.Second
	dead := join(answers(1, s), failures(2))
	for sentence, tc := range map[string]struct {
		heard   []heard
		chance  float64
		want    State
		since   time.Duration
		missing time.Duration
		cause   string
	}{
		"nothing is known before the first answer":             {nil, 0, Unknown, 0, 0, ""},
		"the first answer is believed":                         {answers(1, s), 0, Alive, s, 0, ""},
		"one failure at first says nothing":                    {failures(1), 0, Unknown, 0, 0, ""},
		"two failures at first are a death":                    {failures(2), 0, Dead, 2 * s, 0, "refused"},
		"one failure of an alive hub says nothing":             {join(answers(1, s), failures(1)), 0, Alive, s, 0, ""},
		"failures that are not in a row say nothing":           {join(answers(1, s), failures(1), answers(1, s), failures(1)), 0, Alive, s, 0, ""},
		"two failures in a row are a death":                    {dead, 0, Dead, 3 * s, 3 * s, "refused"},
		"the failure that was a death is the cause":            {join(dead, []heard{{s, "reset"}}), 0, Dead, 3 * s, 3 * s, "refused"},
		"one answer does not bring it back":                    {join(dead, answers(1, 30*s)), 0, Dead, 3 * s, 3 * s, "refused"},
		"many answers in no time do not bring it back":         {join(dead, answers(30, time.Millisecond)), 0, Dead, 3 * s, 3 * s, "refused"},
		"two answers over a long time do not bring it back":    {join(dead, answers(2, 30*s)), 0, Dead, 3 * s, 3 * s, "refused"},
		"answers over the hold-down bring it back":             {join(dead, answers(4, s)), 0, Alive, 7 * s, 0, ""},
		"not all nodes come back at once":                      {join(dead, answers(4, s)), 0.9, Dead, 3 * s, 3 * s, "refused"},
		"the last node is back after twice the hold-down":      {join(dead, answers(7, s)), 0.99, Alive, 10 * s, 0, ""},
		"a failure in between begins it again":                 {join(dead, answers(3, s), failures(1), answers(3, s)), 0, Dead, 3 * s, 3 * s, "refused"},
		"one failure after it came back says nothing":          {join(dead, answers(4, s), failures(1)), 0, Alive, 7 * s, 0, ""},
		"what was missing from the beginning stays so":         {join(failures(9)), 0, Dead, 2 * s, 0, "refused"},
		"a second death soon needs answers for longer":         {join(dead, answers(4, s), failures(2), answers(4, s)), 0, Dead, 9 * s, 9 * s, "refused"},
		"which bring it back in the end":                       {join(dead, answers(4, s), failures(2), answers(7, s)), 0, Alive, 16 * s, 0, ""},
		"a second death after a long life is like the first":   {join(dead, answers(4, s), answers(1, forgivenAfter), failures(2), answers(4, s)), 0, Alive, 7*s + forgivenAfter + 6*s, 0, ""},
		"a first death soon after the first answer is a first": {join(answers(1, s), failures(2), answers(4, s)), 0, Alive, 7 * s, 0, ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			got, _ := hear(tc.heard, tc.chance)
			type shown struct {
				State          State
				Since, Missing time.Time
				Cause          string
			}
			want := shown{tc.want, epoch.Add(tc.since), epoch.Add(tc.missing), tc.cause}
			seen := shown{got.State, got.Since, got.Missing, got.Cause}
			if tc.want == Alive {
				want.Missing, seen.Missing = time.Time{}, time.Time{}
			}
			if diff := cmp.Diff(want, seen); diff != "" {
				t.Errorf("health (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheHoldDownOfAHubThatFlapsIsBounded(t *testing.T) {
	t.Parallel()
	one := join(answers(200, time.Second), failures(2))
	all := answers(1, time.Second)
	var before time.Duration
	for deaths := range 20 {
		all = join(all, one)
		health, _ := hear(all, 0)
		if health.State != Dead || health.hold < before || health.hold > longestHold {
			t.Fatalf("death %d: %s with a hold-down of %s after %s", deaths, health.State, health.hold, before)
		}
		before = health.hold
	}
	if before != longestHold {
		t.Errorf("the hold-down grew to %s, want %s", before, longestHold)
	}
}

// TestADeathIsSeenWithinSeconds adds up the longest of all times: the hub dies right after an answer, chance is against
// us, and each question takes as long as it may.
func TestADeathIsSeenWithinSeconds(t *testing.T) {
	t.Parallel()
	const interval, bound = 2 * time.Second, 5 * time.Second
	health, _ := hear(answers(1, time.Second), 0)
	var passed time.Duration
	took := time.Duration(0)
	for health.State == Alive {
		passed += health.pause(interval, took, 0)
		took = health.patience()
		passed += took
		health = health.failed(epoch.Add(passed), "no answer")
	}
	if passed > bound {
		t.Errorf("seen after %s, want at most %s", passed, bound)
	}
	t.Logf("seen after %s at most", passed)
}

func TestPause(t *testing.T) {
	t.Parallel()
	alive, _ := hear(answers(1, time.Second), 0)
	for sentence, tc := range map[string]struct {
		health Health
		took   time.Duration
		chance float64
		want   time.Duration
	}{
		"an alive hub is asked each interval":         {alive, time.Second, 0, 2 * time.Second},
		"or a little earlier, by chance":              {alive, time.Second, 0.5, 1750 * time.Millisecond},
		"one that refused is asked again soon":        {alive.failed(epoch, "x"), 0, 0.5, retryAfter},
		"one that let us wait is asked again at once": {alive.failed(epoch, "x"), patience, 0.5, 0},
		"a dead one is asked each interval":           {alive.failed(epoch, "x").failed(epoch, "x"), 0, 0, 2 * time.Second},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if got := tc.health.pause(2*time.Second, tc.took, tc.chance); got != tc.want {
				t.Errorf("pause %s, want %s", got, tc.want)
			}
		})
	}
}
