package scenario

import (
	"context"
	"fmt"
	"time"

	"github.com/registryhub/registryhub/hack/bench/contender"
	"github.com/registryhub/registryhub/hack/bench/node"
	"github.com/registryhub/registryhub/hack/bench/report"
)

// The metrics of an agent. CPU is per second, so that 0.01 are 1 % of a processor.
const (
	privateMemory = "privateMemory"
	agentCPU      = "agentCPU"
	hubsCPU       = "hubsCPU"
)

// watched is for how long an agent is watched, which is three times what it lets pass between two looks at its files.
const watched = 30 * time.Second

// agent is what a node's agent costs the node, with nothing happening.
func agent() Family {
	var running *node.Node
	columns := []report.Column{
		{Title: "private memory", Metric: privateMemory, Unit: report.MiB},
		{Title: "CPU of the agent", Metric: agentCPU, Unit: report.Percent},
		{Title: "CPU of all hubs", Metric: hubsCPU, Unit: report.Percent},
	}
	watch := func(hubs int) func(context.Context, *Bench, *contender.Server) (report.Figures, error) {
		return func(ctx context.Context, _ *Bench, _ *contender.Server) (report.Figures, error) {
			if err := running.Wire(ctx, hubs); err != nil {
				return nil, err
			}
			return watchAgent(ctx, running)
		}
	}
	return Family{
		Name: "agent", Title: "The agent of a node", Contenders: []string{contender.Ours},
		Start: func(ctx context.Context, _ string, place contender.Place) (server *contender.Server, stop func() error, err error) {
			if running, err = node.Start(ctx, place); err != nil {
				return nil, nil, err
			}
			return running.Agent, running.Stop, nil
		},
		Prepare: func(ctx context.Context, _ *Bench, _ *contender.Server) error { return running.Wire(ctx, node.Hubs) },
		Cases: []Case{
			{
				Name: "agent-hubs", Title: fmt.Sprintf("the agent of a node with %d hubs, all well", node.Hubs), Rounds: 1, Measure: watch(node.Hubs), Columns: columns,
				Targets: []report.Target{{What: "private memory at most 40 MiB", Metric: privateMemory, Plus: 40 << 20, Unit: report.MiB}},
			},
			{
				Name: "agent-idle", Title: "the agent of a node without hubs", Rounds: 1, Measure: watch(0), Columns: columns,
				Targets: []report.Target{{What: "CPU at most 0.1 %", Metric: agentCPU, Plus: 0.001, Unit: report.Percent}},
			},
		},
	}
}

// watchAgent looks on for a while. What memory the agent has is what it has at most.
func watchAgent(ctx context.Context, n *node.Node) (report.Figures, error) {
	before, err := n.Agent.CPU()
	if err != nil {
		return nil, err
	}
	hubsBefore, err := n.HubsCPU()
	if err != nil {
		return nil, err
	}
	most := int64(0)
	began := time.Now()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for time.Since(began) < watched {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-tick.C:
		}
		private, err := n.Agent.PrivateMemory()
		if err != nil {
			return nil, err
		}
		most = max(most, private)
	}
	after, err := n.Agent.CPU()
	if err != nil {
		return nil, err
	}
	hubsAfter, err := n.HubsCPU()
	seconds := time.Since(began).Seconds()
	return report.Figures{
		privateMemory: float64(most), agentCPU: (after - before).Seconds() / seconds, hubsCPU: (hubsAfter - hubsBefore).Seconds() / seconds,
	}, err
}
