package nodes_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/nodes"
)

const (
	grace = time.Minute
	long  = -time.Hour
)

// node is Ready and has had its agent for long, and reports a revision.
func node(name string, revision int64, changes ...func(*nodes.Node)) nodes.Node {
	n := nodes.Node{Name: name, Ready: true, ReadySince: epoch.Add(long), AgentSince: epoch.Add(long), Revision: revision}
	for _, change := range changes {
		change(&n)
	}
	return n
}

func notReady(n *nodes.Node)  { n.Ready = false }
func agentless(n *nodes.Node) { n.AgentSince = time.Time{} }
func justCame(n *nodes.Node)  { n.ReadySince = epoch.Add(-10 * time.Second) }
func newAgent(n *nodes.Node)  { n.AgentSince = epoch.Add(-20 * time.Second) }
func labelled(n *nodes.Node)  { n.Labels = pairs("zone", "a") }

func proven(revision int64) func(*nodes.Node) {
	return func(n *nodes.Node) { n.ProvenRevision = &revision }
}

func failing(n *nodes.Node) {
	n.Exceptions = []v1alpha1.NodeException{{Hub: "other", Reason: "Other"}, {Hub: "a", Reason: "WriteFailed", Message: "disk full"}}
}

func TestCount(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		nodes    []nodes.Node
		selector []string
		agents   time.Duration
		want     nodes.Figures
	}{
		"no nodes":                               {want: nodes.Figures{}},
		"wired, and one behind":                  {nodes: []nodes.Node{node("1", 5), node("2", 4), node("3", 9)}, want: nodes.Figures{Desired: 3, Wired: 2, Unproven: 2}},
		"a node that is not Ready":               {nodes: []nodes.Node{node("1", 5, notReady)}, want: nodes.Figures{}},
		"a node that is not selected":            {nodes: []nodes.Node{node("1", 5), node("2", 5, labelled)}, selector: []string{"zone", "a"}, want: nodes.Figures{Desired: 1, Wired: 1, Unproven: 1}},
		"a node that just came":                  {nodes: []nodes.Node{node("1", 4, justCame)}, want: nodes.Figures{Starting: 1, Settles: epoch.Add(50 * time.Second)}},
		"a node that just came and is wired":     {nodes: []nodes.Node{node("1", 5, justCame)}, want: nodes.Figures{Desired: 1, Wired: 1, Unproven: 1}},
		"an agent that just came":                {nodes: []nodes.Node{node("1", 4, newAgent)}, want: nodes.Figures{Starting: 1, Settles: epoch.Add(40 * time.Second)}},
		"the earliest to settle":                 {nodes: []nodes.Node{node("1", 4, justCame), node("2", 4, newAgent)}, want: nodes.Figures{Starting: 2, Settles: epoch.Add(40 * time.Second)}},
		"a node without an agent, since long":    {nodes: []nodes.Node{node("1", 5, agentless)}, agents: long, want: nodes.Figures{Bare: 1}},
		"a node without an agent, for a moment":  {nodes: []nodes.Node{node("1", 5, agentless, justCame)}, agents: long, want: nodes.Figures{Starting: 1, Settles: epoch.Add(50 * time.Second)}},
		"nodes whose agents are just being made": {nodes: []nodes.Node{node("1", 0, agentless)}, agents: -5 * time.Second, want: nodes.Figures{Starting: 1, Settles: epoch.Add(55 * time.Second)}},
		"no DaemonSet at all":                    {nodes: []nodes.Node{node("1", 0, agentless)}, want: nodes.Figures{Starting: 1}},
		"proven, proving, and proven before":     {nodes: []nodes.Node{node("1", 5, proven(5)), node("2", 5, proven(4)), node("3", 9, proven(7))}, want: nodes.Figures{Desired: 3, Wired: 2}},
		"a node that just came and is proving":   {nodes: []nodes.Node{node("1", 5, justCame, proven(0))}, want: nodes.Figures{Starting: 1, Settles: epoch.Add(50 * time.Second)}},
		"a node that just came and has failed": {nodes: []nodes.Node{node("1", 5, justCame, proven(0), failing)}, want: nodes.Figures{
			Desired: 1, FailingTotal: 1, Failing: []v1alpha1.FailingNode{{Name: "1", Reason: "WriteFailed", Message: "disk full"}},
		}},
		"a failing node": {nodes: []nodes.Node{node("1", 5), node("2", 5, failing)}, want: nodes.Figures{
			Desired: 2, Wired: 1, Unproven: 1, FailingTotal: 1, Failing: []v1alpha1.FailingNode{{Name: "2", Reason: "WriteFailed", Message: "disk full"}},
		}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			snapshot := nodes.Snapshot{Nodes: tc.nodes}
			if tc.agents != 0 {
				snapshot.AgentsSince = epoch.Add(tc.agents)
			}
			wanted := entry("a", 5, "a.example")
			if tc.selector != nil {
				h := with(hub("a", 0), selecting(tc.selector...))
				wanted.Selector = h.Spec.Nodes.Selector
			}
			if diff := cmp.Diff(tc.want, nodes.Count(snapshot, wanted, epoch, grace)); diff != "" {
				t.Errorf("figures (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCountNamesFewFailingNodes(t *testing.T) {
	t.Parallel()
	var snapshot nodes.Snapshot
	for i := range 25 {
		snapshot.Nodes = append(snapshot.Nodes, node(fmt.Sprintf("n%02d", i), 5, failing))
	}
	figures := nodes.Count(snapshot, entry("a", 5), epoch, grace)
	if figures.FailingTotal != 25 || len(figures.Failing) != nodes.MaxFailing || figures.Failing[9].Name != "n09" {
		t.Errorf("%d of %d named, the last %v", len(figures.Failing), figures.FailingTotal, figures.Failing[len(figures.Failing)-1])
	}
}

func TestBehind(t *testing.T) {
	t.Parallel()
	snapshot := nodes.Snapshot{Nodes: []nodes.Node{
		node("behind", 4), node("there", 5), node("not-ready", 4, notReady), node("agentless", 4, agentless), node("new", 0, justCame),
	}}
	if diff := cmp.Diff([]string{"behind", "new"}, nodes.Behind(snapshot, 5)); diff != "" {
		t.Errorf("behind (-want +got):\n%s", diff)
	}
}
