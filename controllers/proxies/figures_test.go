package proxies_test

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/controllers/proxies"
)

const gi = 1 << 30

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// told is a Pod's report with these figures.
func told(figures configv1alpha1.ProxyFigures) proxies.Report {
	return proxies.Report{ProxyReport: configv1alpha1.ProxyReport{InForce: "a", Figures: &figures}}
}

func TestFiguresOfAHub(t *testing.T) {
	t.Parallel()
	store := func(capacity, used, objects int64, eviction time.Time) proxies.Report {
		return told(configv1alpha1.ProxyFigures{Store: configv1alpha1.StoreFigures{
			CapacityBytes: capacity, UsedBytes: used, Objects: &objects, LastEviction: new(metav1.NewTime(eviction)),
		}})
	}
	lookups := func(answered, missed int64) proxies.Report {
		return told(configv1alpha1.ProxyFigures{Lookups: configv1alpha1.LookupFigures{Answered: answered, Missed: missed}})
	}
	upstream := func(reachable *bool, limit, remaining int64) proxies.Report {
		one := configv1alpha1.UpstreamFigures{Name: "hub", Reachable: reachable}
		if limit > 0 {
			one.RateLimit = &configv1alpha1.RateLimitFigures{Limit: limit, Remaining: remaining}
		}
		return told(configv1alpha1.ProxyFigures{Upstreams: []configv1alpha1.UpstreamFigures{one}})
	}
	is := func(reachable *bool) proxies.Figures {
		return proxies.Figures{Upstreams: map[string]proxies.Upstream{"hub": {Reachable: reachable}}}
	}
	cases := map[string]struct {
		reports []proxies.Report
		want    proxies.Figures
	}{
		"no Pod":                       {nil, proxies.Figures{}},
		"a Pod that has said nothing":  {[]proxies.Report{{}}, proxies.Figures{}},
		"round numbers stay":           {[]proxies.Report{store(100*gi, 80*gi, 999, noon)}, proxies.Figures{Capacity: 100 * gi, Used: 80 * gi, Objects: new(int64(999)), LastEviction: noon}},
		"the others have three digits": {[]proxies.Report{store(105548821299, 1999, 123456, noon)}, proxies.Figures{Capacity: 100608 << 20, Used: 2000, Objects: new(int64(123000)), LastEviction: noon}},
		"of two Pods the last word counts": {
			[]proxies.Report{store(gi, 100, 10, noon.Add(time.Hour)), store(gi, 200, 7, noon)},
			proxies.Figures{Capacity: gi, Used: 200, Objects: new(int64(10)), LastEviction: noon.Add(time.Hour)},
		},
		"the empty store has no objects":       {[]proxies.Report{store(gi, 0, 0, noon)}, proxies.Figures{Capacity: gi, Objects: new(int64(0)), LastEviction: noon}},
		"nonsense of a store":                  {[]proxies.Report{store(-1, 5, -5, time.Time{})}, proxies.Figures{}},
		"the largest of numbers":               {[]proxies.Report{store(math.MaxInt64, math.MaxInt64, math.MaxInt64, time.Time{})}, proxies.Figures{Capacity: math.MaxInt64 - 1<<53 + 1, Used: math.MaxInt64 - 1<<53 + 1, Objects: new(int64(9220000000000000000))}},
		"too few lookups to speak of a share":  {[]proxies.Report{lookups(19, 0)}, proxies.Figures{}},
		"enough of them":                       {[]proxies.Report{lookups(19, 1)}, proxies.Figures{HitPercent: new(int32(95))}},
		"those of two Pods are added":          {[]proxies.Report{lookups(10, 0), lookups(0, 10)}, proxies.Figures{HitPercent: new(int32(50))}},
		"more lookups than there are numbers":  {[]proxies.Report{lookups(math.MaxInt64, math.MaxInt64), lookups(math.MaxInt64, math.MaxInt64)}, proxies.Figures{HitPercent: new(int32(50))}},
		"less than none":                       {[]proxies.Report{lookups(-100, 20)}, proxies.Figures{HitPercent: new(int32(0))}},
		"an upstream that nobody asked":        {[]proxies.Report{upstream(nil, 0, 0)}, is(nil)},
		"one that any Pod reaches":             {[]proxies.Report{upstream(new(false), 0, 0), upstream(new(true), 0, 0), upstream(nil, 0, 0)}, is(new(true))},
		"one that the one that asked does not": {[]proxies.Report{upstream(nil, 0, 0), upstream(new(false), 0, 0)}, is(new(false))},
		"the least that is left": {
			[]proxies.Report{upstream(nil, 100, 40), upstream(nil, 200, 30), upstream(nil, 0, 0)},
			proxies.Figures{Upstreams: map[string]proxies.Upstream{"hub": {RateLimit: &configv1alpha1.RateLimitFigures{Limit: 200, Remaining: 30}}}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tc.want.Upstreams == nil {
				tc.want.Upstreams = map[string]proxies.Upstream{}
			}
			if diff := cmp.Diff(tc.want, proxies.FiguresOf(tc.reports)); diff != "" {
				t.Errorf("figures (-want +got):\n%s", diff)
			}
		})
	}
}

// usual are the figures of a hub that is used.
func usual(changes ...func(*proxies.Figures)) proxies.Figures {
	f := proxies.Figures{
		Capacity: 1000, Used: 500, Objects: new(int64(200)), HitPercent: new(int32(80)), LastEviction: noon,
		Upstreams: map[string]proxies.Upstream{"hub": {Reachable: new(true), RateLimit: &configv1alpha1.RateLimitFigures{Limit: 100, Remaining: 50}}},
	}
	for _, change := range changes {
		change(&f)
	}
	return f
}

func TestWhatHasMoved(t *testing.T) {
	t.Parallel()
	used := func(n int64) func(*proxies.Figures) { return func(f *proxies.Figures) { f.Used = n } }
	capacity := func(n int64) func(*proxies.Figures) { return func(f *proxies.Figures) { f.Capacity = n } }
	objects := func(n int64) func(*proxies.Figures) { return func(f *proxies.Figures) { f.Objects = &n } }
	hits := func(n int32) func(*proxies.Figures) { return func(f *proxies.Figures) { f.HitPercent = &n } }
	eviction := func(at time.Time) func(*proxies.Figures) { return func(f *proxies.Figures) { f.LastEviction = at } }
	limit := func(limit, remaining int64) func(*proxies.Figures) {
		return func(f *proxies.Figures) {
			f.Upstreams["hub"] = proxies.Upstream{Reachable: f.Upstreams["hub"].Reachable, RateLimit: &configv1alpha1.RateLimitFigures{Limit: limit, Remaining: remaining}}
		}
	}
	reachable := func(is *bool) func(*proxies.Figures) {
		return func(f *proxies.Figures) {
			f.Upstreams["hub"] = proxies.Upstream{Reachable: is, RateLimit: f.Upstreams["hub"].RateLimit}
		}
	}
	cases := map[string]struct {
		before, after proxies.Figures
		want          bool
	}{
		"nothing":                               {usual(), usual(), false},
		"nothing is known any more":             {usual(), proxies.Figures{}, false},
		"all is known at last":                  {proxies.Figures{}, usual(), true},
		"nothing was known, and is":             {proxies.Figures{}, proxies.Figures{}, false},
		"used, by 4.9 %":                        {usual(), usual(used(549)), false},
		"used, by 5 %":                          {usual(), usual(used(550)), true},
		"used, by 5 % less":                     {usual(), usual(used(450)), true},
		"the capacity, by half a percent":       {usual(), usual(capacity(1005)), false},
		"the capacity, by one":                  {usual(), usual(capacity(1010)), true},
		"objects, by 9 %":                       {usual(), usual(objects(218)), false},
		"objects, by 10 %":                      {usual(), usual(objects(220)), true},
		"few objects, by 9":                     {usual(objects(3)), usual(objects(12)), false},
		"few objects, by 10":                    {usual(objects(3)), usual(objects(13)), true},
		"the first object":                      {usual(objects(0)), usual(objects(1)), true},
		"no object any more":                    {usual(objects(1)), usual(objects(0)), true},
		"hits, by 4 points":                     {usual(), usual(hits(76)), false},
		"hits, by 5 points":                     {usual(), usual(hits(75)), true},
		"an eviction within the hour":           {usual(), usual(eviction(noon.Add(59 * time.Minute))), false},
		"an eviction after an hour":             {usual(), usual(eviction(noon.Add(time.Hour))), true},
		"the first eviction":                    {usual(eviction(time.Time{})), usual(), true},
		"an eviction of before":                 {usual(), usual(eviction(noon.Add(-24 * time.Hour))), false},
		"the limit, by a little":                {usual(), usual(limit(101, 50)), true},
		"what is left, by 9 % of the limit":     {usual(), usual(limit(100, 41)), false},
		"what is left, by 10 %":                 {usual(), usual(limit(100, 40)), true},
		"what is left falls below 10 %":         {usual(limit(100, 10)), usual(limit(100, 9)), true},
		"what is left falls further":            {usual(limit(100, 9)), usual(limit(100, 1)), false},
		"what is left comes back by a little":   {usual(limit(100, 9)), usual(limit(100, 11)), false},
		"an upstream that is down":              {usual(), usual(reachable(new(false))), true},
		"an upstream that nobody asked since":   {usual(), usual(reachable(nil)), false},
		"an upstream that was asked at last":    {usual(reachable(nil)), usual(), true},
		"of an upstream nothing is known still": {proxies.Figures{}, proxies.Figures{Upstreams: map[string]proxies.Upstream{"hub": {}}}, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := proxies.Moved(tc.before, tc.after); got != tc.want {
				t.Errorf("moved: %v, want %v", got, tc.want)
			}
			if shown := tc.after.Or(tc.before); proxies.Moved(shown, tc.after) {
				t.Errorf("once %+v is shown, it has moved again", shown)
			}
		})
	}
}

func TestWhatIsNotKnownAnyMoreIsAsItWas(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(usual(), proxies.Figures{}.Or(usual())); diff != "" {
		t.Errorf("of nothing (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(usual(), usual().Or(proxies.Figures{Capacity: 7, Objects: new(int64(7)), HitPercent: new(int32(7))})); diff != "" {
		t.Errorf("of all (-want +got):\n%s", diff)
	}
}
