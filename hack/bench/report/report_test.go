package report

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMedian(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		values []float64
		want   float64
	}{
		"of one is that one":                         {[]float64{3}, 3},
		"of three in any order is the middle one":    {[]float64{9, 1, 2}, 2},
		"of four is the mean of those in the middle": {[]float64{1, 10, 2, 4}, 3},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := Median(tc.values); got != tc.want {
				t.Errorf("Median(%v) = %v, want %v", tc.values, got, tc.want)
			}
		})
	}
}

func TestPercentile(t *testing.T) {
	t.Parallel()
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(i + 1)
	}
	tests := map[string]struct {
		sorted  []time.Duration
		percent int
		want    time.Duration
	}{
		"of none is 0":       {nil, 99, 0},
		"of one is that one": {hundred[:1], 99, 1},
		"99 of a hundred is the one before the last": {hundred, 99, 99},
		"100 is the last":           {hundred, 100, 100},
		"50 of three is the second": {hundred[:3], 50, 2},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := Percentile(tc.sorted, tc.percent); got != tc.want {
				t.Errorf("Percentile(%d values, %d) = %d, want %d", len(tc.sorted), tc.percent, got, tc.want)
			}
		})
	}
}

func TestReached(t *testing.T) {
	t.Parallel()
	result := Result{Rows: []Row{
		{Contender: "ours", Medians: Figures{"time": 0.012, "speed": 80}},
		{Contender: "limit", Medians: Figures{"time": 0.004, "speed": 100}},
	}}
	type verdict struct {
		Got               string
		Reached, Measured bool
	}
	tests := map[string]struct {
		target Target
		want   verdict
	}{
		"a ratio that is not exceeded":       {Target{Metric: "time", Against: "limit", Factor: 3}, verdict{"3.00", true, true}},
		"a ratio that is exceeded":           {Target{Metric: "time", Against: "limit", Factor: 2.5}, verdict{"3.00", false, true}},
		"a ratio that is reached from above": {Target{Metric: "speed", Against: "limit", Factor: 0.8, AtLeast: true}, verdict{"0.80", true, true}},
		"a ratio that is not":                {Target{Metric: "speed", Against: "limit", Factor: 0.85, AtLeast: true}, verdict{"0.80", false, true}},
		"a difference": {
			Target{Metric: "time", Against: "limit", Factor: 1, Plus: 0.010, Unit: Milliseconds}, verdict{"8.0 ms more", true, true},
		},
		"a limit of its own": {Target{Metric: "time", Plus: 0.010, Unit: Milliseconds}, verdict{"12.0 ms", false, true}},
		"a target of another row": {
			Target{Metric: "time", Of: "limit", Against: "ours", Factor: 0.5}, verdict{"0.33", true, true},
		},
		"what was not measured is not reached": {
			Target{Metric: "size", Plus: 1}, verdict{"not measured", false, false},
		},
		"nor is what was not measured of the other": {
			Target{Metric: "time", Against: "nobody", Factor: 1}, verdict{"not measured", false, false},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got verdict
			got.Got, got.Reached, got.Measured = result.Reached(tc.target, "ours")
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheTableHasValuesAndRatios(t *testing.T) {
	t.Parallel()
	result := Result{
		Columns: []Column{{Title: "CPU", Metric: "cpu", Unit: Microseconds}, {Title: "ratio", Metric: "cpu", Unit: Ratio, Against: "limit"}},
		Rows: []Row{
			{Contender: "ours", Medians: Figures{"cpu": 30e-6}}, {Contender: "limit", Medians: Figures{"cpu": 10e-6}}, {Contender: "absent"},
		},
	}
	want := strings.Join([]string{
		"| contender | CPU     | ratio |",
		"|-----------|---------|-------|",
		"| ours      | 30.0 us | 3.00  |",
		"| limit     | 10.0 us | 1.00  |",
		"| absent    | -       | -     |",
		"",
	}, "\n")
	if diff := cmp.Diff(want, result.Table()); diff != "" {
		t.Errorf("the table (-want +got):\n%s", diff)
	}
}

func TestResultsStayUntilTheyAreMeasuredAgain(t *testing.T) {
	t.Parallel()
	file, names := filepath.Join(t.TempDir(), "results.json"), []string{"a", "b", "c", "d"}
	if _, err := Merge(file, names, []Result{{Name: "b", Runs: 1}, {Name: "a", Runs: 1}, {Name: "gone", Runs: 1}}); err != nil {
		t.Fatal(err)
	}
	all, err := Merge(file, names, []Result{{Name: "c", Runs: 2}, {Name: "a", Runs: 2}})
	if err != nil {
		t.Fatal(err)
	}
	want := []Result{{Name: "a", Runs: 2}, {Name: "b", Runs: 1}, {Name: "c", Runs: 2}}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Errorf("the results (-want +got):\n%s", diff)
	}
}
