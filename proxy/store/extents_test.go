package store_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/registryhub/registryhub/proxy/store"
)

func TestExtentsMergeWhatOverlapsOrAdjoins(t *testing.T) {
	tests := map[string]struct {
		add  []store.Extent
		want store.Extents
	}{
		"nothing":                   {nil, nil},
		"an empty run":              {[]store.Extent{{5, 5}}, nil},
		"apart":                     {[]store.Extent{{10, 20}, {0, 5}}, store.Extents{{0, 5}, {10, 20}}},
		"adjoining behind":          {[]store.Extent{{0, 5}, {5, 9}}, store.Extents{{0, 9}}},
		"adjoining before":          {[]store.Extent{{5, 9}, {0, 5}}, store.Extents{{0, 9}}},
		"a gap that is closed":      {[]store.Extent{{0, 5}, {7, 9}, {5, 7}}, store.Extents{{0, 9}}},
		"one that covers them all":  {[]store.Extent{{1, 2}, {4, 5}, {7, 8}, {0, 9}}, store.Extents{{0, 9}}},
		"one that is covered":       {[]store.Extent{{0, 9}, {3, 4}}, store.Extents{{0, 9}}},
		"between two, touching one": {[]store.Extent{{0, 2}, {8, 9}, {2, 4}}, store.Extents{{0, 4}, {8, 9}}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var got store.Extents
			for _, run := range tc.add {
				got = got.Add(run)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestExtentsAreASetOfBytes compares them with the plain set.
func TestExtentsAreASetOfBytes(t *testing.T) {
	const size = 40
	rapid.Check(t, func(rt *rapid.T) {
		var e store.Extents
		var set [size + 1]bool // the last is never in it
		for range rapid.IntRange(0, 12).Draw(rt, "runs") {
			start := rapid.Int64Range(0, size).Draw(rt, "start")
			end := rapid.Int64Range(start, size).Draw(rt, "end")
			e = e.Add(store.Extent{Start: start, End: end})
			for i := start; i < end; i++ {
				set[i] = true
			}
		}
		whole := true
		for i := range int64(size) {
			whole = whole && set[i]
			if got, want := e.From(i), endOf(set[:], i); got != want {
				rt.Fatalf("%v: the run from %d ends at %d, want %d", e, i, got, want)
			}
			if got, want := e.Next(i, -1), nextOf(set[:], i); got != want {
				rt.Fatalf("%v: the next byte from %d is %d, want %d", e, i, got, want)
			}
		}
		if e.Whole(size) != whole {
			rt.Fatalf("%v: whole is %v", e, e.Whole(size))
		}
	})
}

func endOf(set []bool, from int64) int64 {
	for set[from] {
		from++
	}
	return from
}

func nextOf(set []bool, from int64) int64 {
	for ; from < int64(len(set)); from++ {
		if set[from] {
			return from
		}
	}
	return -1
}
