package scenario

import (
	"context"

	"github.com/registryhub/registryhub/hack/bench/contender"
	"github.com/registryhub/registryhub/hack/bench/report"
)

// managerCases are tables with a row for each size of cluster.
func managerCases(measure func(context.Context, *Bench, *contender.Server) (report.Figures, error)) []Case {
	cases := []Case{
		{
			Name: "manager-converge", Title: "the manager: everything of nothing",
			Columns: costColumns("converge", report.Column{Title: "revisions", Metric: "converge" + managerRevisions, Unit: report.Count},
				report.Column{Title: "agents' writes", Metric: "converge" + managerReports, Unit: report.Count}),
			Targets: linear("converge", managerTook, managerWrites, managerCPU),
		},
		{
			Name: "manager-change", Title: "the manager: one hub's change reaches all nodes",
			Columns: costColumns("change", report.Column{Title: "agents' writes", Metric: "change" + managerReports, Unit: report.Count}),
			Targets: linear("change", managerTook, managerWrites, managerCPU),
		},
		{
			Name: "manager-flap", Title: "the manager: one node in ten becomes NotReady and Ready, three times in a minute",
			Columns: costColumns("flap"),
			Targets: linear("flap", managerWrites, managerCPU),
		},
		{
			Name: "manager-rest", Title: "the manager: a minute in which nothing happens",
			Columns: []report.Column{
				{Title: "writes but the Lease's", Metric: "rest" + managerWrites, Unit: report.Count},
				{Title: "the Lease's", Metric: "rest" + managerLeases, Unit: report.Count},
				{Title: "CPU", Metric: "rest" + managerCPU, Unit: report.Seconds},
				{Title: "private memory", Metric: "rest" + managerPrivate, Unit: report.MiB},
			},
			Targets: []report.Target{
				{What: "no write but the leader's Lease", Metric: "rest" + managerWrites, Of: largest, Unit: report.Count},
				{What: "peak memory at most 300 MiB", Metric: peakMemory, Of: largest, Plus: 300 << 20, Unit: report.MiB},
			},
		},
	}
	for i := range cases {
		cases[i].Rounds, cases[i].Rows, cases[i].Measure = 1, "cluster", measure
	}
	return cases
}

// costColumns are the time, the writes and the CPU of a scenario, each beside its ratio to that of the smallest cluster.
func costColumns(scenario string, more ...report.Column) []report.Column {
	columns := ratio("took", scenario+managerTook, report.Seconds, smallest)
	columns = append(columns, ratio("writes", scenario+managerWrites, report.Count, smallest)...)
	columns = append(columns, ratio("CPU", scenario+managerCPU, report.Seconds, smallest)...)
	return append(columns, more...)
}

// linear targets have the largest cluster cost at most so much more than the smallest as it is larger.
func linear(scenario string, metrics ...string) []report.Target {
	names := map[string]string{managerTook: "time", managerWrites: "writes", managerCPU: "CPU"}
	targets := make([]report.Target, 0, len(metrics))
	for _, metric := range metrics {
		targets = append(targets, report.Target{
			What: names[metric] + " of " + largest + " at most 4x that of " + smallest, Metric: scenario + metric, Of: largest, Against: smallest, Factor: growth,
		})
	}
	return targets
}
