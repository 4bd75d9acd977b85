package nodeagent

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/registryhub/registryhub/controllers/nodeagent/metrics"
	"github.com/registryhub/registryhub/controllers/nodeagent/probe"
	"github.com/registryhub/registryhub/controllers/nodeagent/proof"
)

func TestFiguresSayHowEachHostIs(t *testing.T) {
	t.Parallel()
	b := newBench(t, configMap(t, configuration(12, hub("a", "proven.io", "wired.io", "unproven.io", "foreign.io"), hub("dead", "dead.io"))), ownNode(nil), ownMirror())
	proven := b.withCanaries()
	proven.outcomes["proven.io"] = proof.Outcome{Verdict: proof.Proven}
	proven.outcomes["unproven.io"] = proof.Outcome{Verdict: proof.Failed}
	b.hubs.otherwise["dead"] = probe.Health{State: probe.Dead}
	b.foreign("foreign.io", map[string]string{hostsFile: "server = \"https://theirs.example\"\n"})
	b.mustPass()
	want := metrics.State{Revision: 12, Hubs: map[string]metrics.Hub{
		"a":    {Alive: true, Hosts: map[metrics.HostState]int{metrics.Proven: 1, metrics.Wired: 1, metrics.Unproven: 1, metrics.Failed: 1}},
		"dead": {Hosts: map[metrics.HostState]int{metrics.Withdrawn: 1}},
	}}
	o := b.keeper.outcome()
	if diff := cmp.Diff(want, o.figures(o.wired.inForce(o.health, b.keeper.held))); diff != "" {
		t.Errorf("figures (-want +got):\n%s", diff)
	}
	if testutil.CollectAndCount(b.keeper.metrics, "registryhub_agent_hosts") == 0 {
		t.Error("the metrics were not told of the pass")
	}
}
