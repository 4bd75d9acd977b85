package registryhub

import (
	"fmt"

	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/nodes"
)

// fallbackRefused says why a hub that asks for the fallback None does not have it: nil where it does, or does not ask. What the
// manager sees is refused for all nodes; a node's sandbox is seen by the agent there alone.
func fallbackRefused(s *scope) *problem {
	if len(s.refused) > 0 {
		return &problem{reason: v1alpha1.ReasonFallbackRefused, message: askedFor(s.hub) + " is refused, and pulls go past the hub while it does not answer, " +
			"since a node that could get all of its images through this hub alone might never start it: give the hosts of these a hub with fallback Upstream, " +
			"or have them come from elsewhere: " + enumerate(inUse(s.refused))}
	}
	for _, node := range nodesOf(s).Failing {
		if node.Reason == v1alpha1.NodeReasonFallbackRefused && asksForNoFallback(s.hub) {
			return &problem{reason: v1alpha1.ReasonFallbackRefused, message: fmt.Sprintf("node %s: %s", node.Name, node.Message)}
		}
	}
	return nil
}

// askedFor is what has nodes pull from nowhere else.
func askedFor(hub *v1alpha1.RegistryHub) string {
	if hub.Spec.Local != nil {
		return "that nodes pull from this registry alone"
	}
	return "spec.nodes.fallback None"
}

func asksForNoFallback(hub *v1alpha1.RegistryHub) bool {
	return hub.Spec.StaysOnNodes()
}

// nodesOf counts the nodes of what they are told now; there are none while they are told nothing.
func nodesOf(s *scope) nodes.Figures {
	entry := nodes.FindEntry(s.configuration, s.hub)
	if entry == nil {
		return nodes.Figures{}
	}
	return nodes.Count(s.snapshot, *entry, s.now, s.grace)
}

func inUse(needs []nodes.Need) []string {
	lines := make([]string, 0, len(needs))
	for _, need := range needs {
		lines = append(lines, fmt.Sprintf("%s of %s", need.Image, need.Workload))
	}
	return lines
}
