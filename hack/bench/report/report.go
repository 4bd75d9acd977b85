// Package report turns measurements into medians, ratios and verdicts, and those into text.
package report

import (
	"cmp"
	"slices"
	"time"
)

// Figures are measured values by the name of the metric. Times are in seconds, sizes in bytes.
type Figures map[string]float64

// Column of a table: a metric, or its ratio to that of one contender.
type Column struct {
	Title  string `json:"title"`
	Metric string `json:"metric"`
	Unit   Unit   `json:"unit"`
	// Against is the contender whose value is 1; empty for the value itself.
	Against string `json:"against,omitempty"`
}

// Target is what one contender is to reach: Factor times what Against reached, plus Plus; just Plus where Against is empty.
type Target struct {
	// What is to be reached, in words.
	What   string `json:"what"`
	Metric string `json:"metric"`
	// Of is the row whose value is to reach it. Default: the contender that the page is of.
	Of      string  `json:"of,omitempty"`
	Against string  `json:"against,omitempty"`
	Factor  float64 `json:"factor,omitempty"`
	Plus    float64 `json:"plus,omitempty"`
	// AtLeast is true for a target that is reached from above.
	AtLeast bool `json:"atLeast,omitempty"`
	Unit    Unit `json:"unit"`
}

// Row is what one contender came to.
type Row struct {
	Contender string `json:"contender"`
	// Medians of all runs.
	Medians Figures `json:"medians"`
}

// Result of one case.
type Result struct {
	Family  string `json:"family"`
	Name    string `json:"name"`
	Title   string `json:"title"`
	Version string `json:"version"`
	// Processor that it was measured on.
	Processor string    `json:"processor"`
	At        time.Time `json:"at"`
	Runs      int       `json:"runs"`
	// Of says what the rows are. Default: contenders.
	Of      string   `json:"of,omitempty"`
	Columns []Column `json:"columns"`
	Targets []Target `json:"targets"`
	Rows    []Row    `json:"rows"`
	// Note stands in the place of rows that there are not, and says why.
	Note string `json:"note,omitempty"`
}

// value is the median of one contender's metric.
func (r Result) value(contender, metric string) (float64, bool) {
	for _, row := range r.Rows {
		if row.Contender == contender {
			value, ok := row.Medians[metric]
			return value, ok
		}
	}
	return 0, false
}

// Reached says whether a contender reached a target, and what it came to, as the target counts.
func (r Result) Reached(t Target, contender string) (got string, reached, measured bool) {
	value, ok := r.value(cmp.Or(t.Of, contender), t.Metric)
	reference, okAgainst := r.value(t.Against, t.Metric)
	if !ok || (t.Against != "" && !okAgainst) {
		return "not measured", false, false
	}
	limit := reference*t.Factor + t.Plus
	reached = value <= limit
	if t.AtLeast {
		reached = value >= limit
	}
	switch {
	case t.Against == "":
		got = t.Unit.format(value)
	case t.Plus != 0:
		got = t.Unit.format(value-reference*t.Factor) + " more"
	case reference == 0:
		got = t.Unit.format(value)
	default:
		got = Ratio.format(value / reference)
	}
	return got, reached, true
}

// Medians of the runs of one contender.
func Medians(runs []Figures) Figures {
	medians := Figures{}
	byMetric := map[string][]float64{}
	for _, run := range runs {
		for metric, value := range run {
			byMetric[metric] = append(byMetric[metric], value)
		}
	}
	for metric, values := range byMetric {
		medians[metric] = Median(values)
	}
	return medians
}

// Median of values, of which there must be one at least; of two in the middle, the mean.
func Median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// Percentile is the value that so many percent of the sorted values do not exceed (nearest rank); 0 of none.
func Percentile(sorted []time.Duration, percent int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := (len(sorted)*percent + 99) / 100
	return sorted[max(rank, 1)-1]
}
