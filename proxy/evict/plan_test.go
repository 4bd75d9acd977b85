package evict_test

import (
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"pgregory.net/rapid"

	"github.com/registryhub/registryhub/proxy/evict"
	"github.com/registryhub/registryhub/proxy/store"
)

var (
	policy = evict.Policy{HighWatermarkPercent: 90, LowWatermarkPercent: 80}
	now    = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
)

func TestHowManyGo(t *testing.T) {
	t.Parallel()
	idle := policy
	idle.MaxIdle = 24 * time.Hour
	cases := map[string]struct {
		policy evict.Policy
		usage  store.Usage
		full   bool
		want   int
		reason evict.Reason
	}{
		"at the high watermark":               {policy, store.Usage{Capacity: 100, Used: 90}, false, 0, ""},
		"over it: down to the low one":        {policy, store.Usage{Capacity: 100, Used: 91}, false, 11, evict.Watermark},
		"over it in inodes alone":             {policy, store.Usage{Capacity: 100, Used: 10, Inodes: 10, UsedInodes: 10}, false, 2, evict.Watermark},
		"at it in inodes":                     {policy, store.Usage{Capacity: 100, Used: 10, Inodes: 10, UsedInodes: 9}, false, 0, ""},
		"no limit of inodes":                  {policy, store.Usage{Capacity: 100, Used: 10, UsedInodes: 1000}, false, 0, ""},
		"over in bytes, both come down":       {policy, store.Usage{Capacity: 100, Used: 91, Inodes: 100, UsedInodes: 95}, false, 15, evict.Watermark},
		"full below the high watermark":       {policy, store.Usage{Capacity: 100, Used: 85}, true, 5, evict.Full},
		"full below the low watermark":        {policy, store.Usage{Capacity: 100, Used: 70}, true, 0, ""},
		"idle while there is room":            {idle, store.Usage{Capacity: 100, Used: 10}, false, 10, evict.Idle},
		"idle, and more for room":             {idle, store.Usage{Capacity: 100, Used: 100}, false, 20, evict.Watermark},
		"a file system of exabytes":           {policy, store.Usage{Capacity: math.MaxInt64, Used: math.MaxInt64 / 2}, false, 0, ""},
		"a file system that says nothing yet": {policy, store.Usage{}, false, 0, ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan, got, first := tc.policy.Plan(tc.usage, tc.full, now), 0, evict.Reason("")
			for i := range 100 {
				e := store.Entry{Size: 1, LastAccess: now.Add(time.Duration(i)*time.Hour - 34*time.Hour + time.Minute)}
				reason, ok := plan.Victim(e)
				if !ok {
					break
				}
				if first == "" {
					first = reason
				}
				plan.Freed(e)
				got++
			}
			if got != tc.want || first != tc.reason {
				t.Errorf("%d went for %q, want %d for %q", got, first, tc.want, tc.reason)
			}
		})
	}
}

// TestWhatGoes plays a sweep over a scanned store in which some objects cannot go.
func TestWhatGoes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		objects := map[digest.Digest]store.Entry{}
		pinned := map[digest.Digest]bool{}
		usage, table := store.Usage{}, &evict.Table{}
		for i, size := range rapid.SliceOfN(rapid.Int64Range(0, 1000), 0, 60).Draw(t, "sizes") {
			e := store.Entry{Digest: drawDigest(t, i), Size: size, LastAccess: now.Add(-time.Duration(rapid.IntRange(0, 100).Draw(t, "age")) * time.Minute)}
			objects[e.Digest], pinned[e.Digest] = e, rapid.Bool().Draw(t, "pinned")
			usage.Used += size
			usage.UsedInodes++
			table.Add(e)
		}
		usage.Capacity = rapid.Int64Range(usage.Used, 2*usage.Used+1).Draw(t, "capacity")
		usage.Inodes = rapid.Int64Range(usage.UsedInodes, 2*usage.UsedInodes+1).Draw(t, "inodes")
		p := policy
		p.MaxIdle = time.Duration(rapid.IntRange(0, 60).Draw(t, "maxIdle")) * time.Minute
		was := usage
		plan := p.Plan(usage, rapid.Bool().Draw(t, "full"), now)
		short := plan.Short()

		table.Sort()
		left, last := map[digest.Digest]store.Entry{}, time.Time{}
		for d, e := range objects {
			left[d] = e
		}
		for e, ok := table.Oldest(); ok; e, ok = table.Oldest() {
			if want := objects[e.Digest]; e.Size != want.Size || !e.LastAccess.Equal(want.LastAccess) {
				t.Fatalf("the table has %+v for %+v", e, want)
			}
			if e.LastAccess.Before(last) {
				t.Fatalf("%s comes after something used at %s", e.LastAccess, last)
			}
			last = e.LastAccess
			reason, goes := plan.Victim(e)
			if !goes {
				break
			}
			table.Take()
			if pinned[e.Digest] {
				continue
			}
			if reason == evict.Idle && (p.MaxIdle == 0 || now.Sub(e.LastAccess) <= p.MaxIdle) {
				t.Fatalf("%s was idle since %s and went as idle", e.Digest, e.LastAccess)
			}
			plan.Freed(e)
			usage.Used -= e.Size
			usage.UsedInodes--
			delete(left, e.Digest)
		}
		low := usage.Used <= usage.Capacity*80/100 && usage.UsedInodes <= usage.Inodes*80/100
		for d, e := range left {
			switch {
			case pinned[d]:
			case short && !low:
				t.Fatalf("%s is left while the store is over its low watermark: %+v, was %+v", d, usage, was)
			case p.MaxIdle > 0 && now.Sub(e.LastAccess) > p.MaxIdle:
				t.Fatalf("%s is left, idle since %s", d, e.LastAccess)
			case e.LastAccess.Before(last) && len(left) < len(objects):
				t.Fatalf("%s is left, used at %s, while one used at %s was looked at", d, e.LastAccess, last)
			}
		}
	})
}

func drawDigest(t *rapid.T, i int) digest.Digest {
	return rapid.SampledFrom([]digest.Algorithm{digest.SHA256, digest.SHA512}).Draw(t, "algorithm").FromString(strconv.Itoa(i))
}

func TestLargestIsWhatTheHighWatermarkAllows(t *testing.T) {
	t.Parallel()
	for capacity, want := range map[int64]int64{0: 0, 100: 90, math.MaxInt64: 8301034833169298226} {
		if got := policy.Largest(store.Usage{Capacity: capacity}); got != want {
			t.Errorf("of %d bytes: got %d, want %d", capacity, got, want)
		}
	}
}
