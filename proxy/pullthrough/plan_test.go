package pullthrough

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/registryhub/registryhub/proxy/store"
)

func TestPlanTakesWhatIsWaitedForAndThenWhatIsMissingFirst(t *testing.T) {
	tests := map[string]struct {
		plan plan
		want []segment // taken one after the other
	}{
		"nothing is there":      {plan{size: 25, step: 10}, []segment{{at: 0, end: 10}, {at: 10, end: 20}, {at: 20, end: 25}}},
		"everything is there":   {plan{size: 25, step: 10, have: store.Extents{{Start: 0, End: 25}}}, nil},
		"an empty blob":         {plan{size: 0, step: 10}, nil},
		"the middle is there":   {plan{size: 30, step: 10, have: store.Extents{{Start: 4, End: 21}}}, []segment{{at: 0, end: 4}, {at: 21, end: 30}}},
		"somebody waits far on": {plan{size: 40, step: 10, wants: map[int64]int{25: 1}}, []segment{{at: 25, end: 35}, {at: 0, end: 10}, {at: 10, end: 20}, {at: 20, end: 25}, {at: 35, end: 40}}},
		"two wait":              {plan{size: 40, step: 10, wants: map[int64]int{30: 1, 15: 2}}, []segment{{at: 15, end: 25}, {at: 30, end: 40}, {at: 0, end: 10}, {at: 10, end: 15}, {at: 25, end: 30}}},
		"what is waited for is on its way": {
			plan{size: 30, step: 10, wants: map[int64]int{5: 1}, taken: []*segment{{at: 0, end: 10}}}, []segment{{at: 10, end: 20}, {at: 20, end: 30}},
		},
		"an open transfer gives up what is far ahead of it": {
			plan{size: 40, step: 10, have: store.Extents{{Start: 0, End: 3}}, taken: []*segment{{at: 3, end: 40}}}, []segment{{at: 13, end: 23}, {at: 23, end: 33}, {at: 33, end: 40}},
		},
		"and what is waited for": {
			plan{size: 40, step: 10, wants: map[int64]int{30: 1}, have: store.Extents{{Start: 0, End: 3}}, taken: []*segment{{at: 3, end: 40}}}, []segment{{at: 30, end: 40}, {at: 13, end: 23}, {at: 23, end: 30}},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var got []segment
			for one := tc.plan.take(); one != nil; one = tc.plan.take() {
				got = append(got, *one)
			}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(segment{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestOpenTransferEndsWhereAnotherBegan(t *testing.T) {
	open := &segment{at: 3, end: 40}
	p := plan{size: 40, step: 10, have: store.Extents{{Start: 0, End: 3}}, taken: []*segment{open}}
	p.take()
	if open.end != 13 {
		t.Errorf("it ends at %d, want 13", open.end)
	}
}

func TestOpenTransferTakesItsEndBackWhenThereAreNoParts(t *testing.T) {
	open := &segment{at: 3, end: 40, open: true}
	p := plan{size: 40, step: 10, have: store.Extents{{Start: 0, End: 3}}, taken: []*segment{open}}
	refused := p.take()
	p.drop(refused)
	p.whole()
	if open.end != 40 || p.take() != nil {
		t.Errorf("it ends at %d, want 40 and nothing beside it", open.end)
	}
}

// TestPlanFetchesEachByteOnceWhateverHappens runs transfers that bring, fail and are waited for in any order.
func TestPlanFetchesEachByteOnceWhateverHappens(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := plan{size: rapid.Int64Range(0, 60).Draw(rt, "size"), step: rapid.Int64Range(1, 12).Draw(rt, "step"), wants: map[int64]int{}}
		fetched := make([]int, p.size)
		var working []*segment
		if p.size > 0 && rapid.Bool().Draw(rt, "open") {
			working = append(working, &segment{end: p.size})
			p.taken = append(p.taken, working...)
		}
		for !p.have.Whole(p.size) {
			if p.size > 0 && rapid.IntRange(0, 3).Draw(rt, "want") == 0 {
				p.wants[rapid.Int64Range(0, p.size-1).Draw(rt, "offset")]++
			}
			if one := p.take(); one != nil {
				working = append(working, one)
			}
			i := rapid.IntRange(0, len(working)-1).Draw(rt, "who")
			one := working[i]
			n := rapid.Int64Range(0, one.end-one.at).Draw(rt, "bytes")
			for at := one.at; at < one.at+n; at++ {
				fetched[at]++
			}
			p.wrote(one, n)
			if one.at == one.end || rapid.IntRange(0, 5).Draw(rt, "fails") == 0 {
				p.drop(one)
				working = append(working[:i], working[i+1:]...)
			}
		}
		for at, times := range fetched {
			if times != 1 {
				rt.Fatalf("byte %d was fetched %d times", at, times)
			}
		}
	})
}
