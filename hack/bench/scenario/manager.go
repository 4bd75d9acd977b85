package scenario

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/registryhub/registryhub/hack/bench/contender"
	"github.com/registryhub/registryhub/hack/bench/report"
	"github.com/registryhub/registryhub/hack/bench/simulation"
)

// The sizes of clusters that the manager is measured in: what the largest costs is compared with the smallest.
var sizes = []struct {
	name string
	simulation.Size
}{
	{"50 hubs, 1,250 nodes", simulation.Size{Hubs: 50, Nodes: 1250}},
	{"100 hubs, 2,500 nodes", simulation.Size{Hubs: 100, Nodes: 2500}},
	{"200 hubs, 5,000 nodes", simulation.Size{Hubs: 200, Nodes: 5000}},
}

const (
	smallest = "50 hubs, 1,250 nodes"
	largest  = "200 hubs, 5,000 nodes"
	// growth is how much larger the largest cluster is: what costs more by more than that grows faster than the cluster. The
	// rest is a percent, by which two runs differ.
	growth = 4.04
)

// How nodes flap, and for how long nothing happens.
const (
	flapping   = 10 // one node in so many
	flapPeriod = 20 * time.Second
	flapLasts  = time.Minute
	restLasts  = time.Minute
	settled    = 15 * time.Second
)

// The metrics of a manager. Those of one scenario begin with its name.
const (
	managerTook      = "Took"
	managerCPU       = "CPU"
	managerWrites    = "Writes"
	managerLeases    = "Leases"
	managerRevisions = "Revisions"
	managerReports   = "Reports"
	managerPrivate   = "Private"
)

// manager is what the operator's manager costs in clusters of growing size. The scenarios follow upon each other in one
// cluster, so that each size is simulated once, and its figures are those of all cases.
func manager() Family {
	simulated := map[string]report.Figures{}
	current := ""
	family := Family{
		Name: "manager", Title: "The manager in large clusters",
		Start: func(ctx context.Context, name string, place contender.Place) (*contender.Server, func() error, error) {
			current = name
			if simulated[name] == nil {
				figures, err := simulate(ctx, sizeOf(name), place)
				if err != nil {
					return nil, nil, fmt.Errorf("simulating %s: %w", name, err)
				}
				simulated[name] = figures
			}
			return &contender.Server{}, func() error { return nil }, nil
		},
		Cases: managerCases(func(context.Context, *Bench, *contender.Server) (report.Figures, error) {
			return simulated[current], nil
		}),
	}
	for _, size := range sizes {
		family.Contenders = append(family.Contenders, size.name)
	}
	return family
}

func sizeOf(name string) simulation.Size {
	for _, size := range sizes {
		if size.name == name {
			return size.Size
		}
	}
	return simulation.Size{}
}

// simulate runs all scenarios in a cluster of one size.
func simulate(ctx context.Context, size simulation.Size, place contender.Place) (figures report.Figures, err error) {
	cluster, err := simulation.Start(ctx, size, place)
	defer func() { err = errors.Join(err, cluster.Stop()) }()
	if err != nil {
		return nil, err
	}
	figures = report.Figures{}
	for _, scenario := range []struct {
		name string
		run  func() (simulation.Cost, error)
	}{
		{"converge", func() (simulation.Cost, error) { return cluster.Converge(ctx) }},
		{"change", func() (simulation.Cost, error) { return cluster.Change(ctx) }},
		{"flap", func() (simulation.Cost, error) { return cluster.Flap(ctx, size.Nodes/flapping, flapPeriod, flapLasts) }},
		{"rest", func() (simulation.Cost, error) { return cluster.Rest(ctx, restLasts) }},
	} {
		cost, err := scenario.run()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", scenario.name, err)
		}
		note(figures, scenario.name, cost)
		if err := cluster.Settle(ctx, settled); err != nil {
			return nil, fmt.Errorf("coming to rest after %s: %w", scenario.name, err)
		}
	}
	peak, err := cluster.Manager.PeakMemory()
	figures[peakMemory] = float64(peak)
	return figures, err
}

func note(figures report.Figures, scenario string, cost simulation.Cost) {
	figures[scenario+managerTook] = cost.Took.Seconds()
	figures[scenario+managerCPU] = cost.CPU.Seconds()
	figures[scenario+managerWrites] = float64(cost.Writes)
	figures[scenario+managerLeases] = float64(cost.Leases)
	figures[scenario+managerRevisions] = float64(cost.Revisions)
	figures[scenario+managerReports] = float64(cost.Reports)
	figures[scenario+managerPrivate] = float64(cost.Private)
}
