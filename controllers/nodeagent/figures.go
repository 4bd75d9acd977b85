package nodeagent

import (
	"github.com/registryhub/registryhub/controllers/nodeagent/certsd"
	"github.com/registryhub/registryhub/controllers/nodeagent/metrics"
	"github.com/registryhub/registryhub/controllers/nodeagent/probe"
	"github.com/registryhub/registryhub/controllers/nodeagent/proof"
)

// figures are what the metrics tell of an outcome, after which these files are on the node.
func (o outcome) figures(files map[string]certsd.Files) metrics.State {
	state := metrics.State{Revision: o.wired.revision, Hubs: map[string]metrics.Hub{}}
	for host, name := range o.wired.hubs {
		hub, known := state.Hubs[name]
		if !known {
			hub = metrics.Hub{Alive: o.health.of(o.wired.entries[name]).State == probe.Alive, Hosts: map[metrics.HostState]int{}}
			state.Hubs[name] = hub
		}
		hub.Hosts[o.stateOf(host, files[host] != nil)]++
	}
	return state
}

func (o outcome) stateOf(host string, there bool) metrics.HostState {
	switch {
	case o.wired.refused[host] != nil, o.failed[host] != nil:
		return metrics.Failed
	case !there:
		return metrics.Withdrawn
	}
	switch o.proofs[host].Verdict {
	case proof.Proven:
		return metrics.Proven
	case proof.Failed:
		return metrics.Unproven
	default:
		return metrics.Wired
	}
}
