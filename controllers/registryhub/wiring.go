package registryhub

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/internal/conditions"
	"github.com/registryhub/registryhub/controllers/nodes"
)

// nodesWired says whether every desired node has the hub's wiring in force.
func nodesWired(s *scope) metav1.Condition {
	no := func(reason, message string) metav1.Condition {
		return conditions.False(v1alpha1.ConditionNodesWired, reason, message)
	}
	entry := nodes.FindEntry(s.configuration, s.hub)
	wanted := nodes.WantedEntry(s.hub, s.endpoint(), s.conflicts, s.refused)
	switch {
	case s.hub.Spec.Suspend && entry == nil:
		return no(v1alpha1.ReasonSuspended, "the nodes are told nothing of the hub while it is suspended")
	case s.hub.Spec.Suspend:
		return countedNodesWired(s, *entry)
	case len(wanted.Hosts) == 0:
		return no(v1alpha1.ReasonHostConflict, "an older hub has every host of this one")
	case entry == nil:
		return no(v1alpha1.ReasonAwaitingProxy, "the hub is written to the nodes once its proxy serves")
	case !nodes.SameWiring(*entry, wanted):
		return no(v1alpha1.ReasonWiring, "the nodes are told of the present wiring once the proxy serves it")
	}
	return countedNodesWired(s, *entry)
}

func countedNodesWired(s *scope, entry configv1alpha1.NodeHub) metav1.Condition {
	figures := nodes.Count(s.snapshot, entry, s.now, s.grace)
	if !figures.Settles.IsZero() {
		s.requeueIn(max(figures.Settles.Sub(s.now), minimumDelay))
	}
	reason, message := judge(figures, wasWired(s.hub))
	message = conditions.Join(message, bare(figures))
	if reason == v1alpha1.ReasonNodesWired || reason == v1alpha1.ReasonNoNodes {
		return conditions.True(v1alpha1.ConditionNodesWired, reason, message)
	}
	return conditions.False(v1alpha1.ConditionNodesWired, reason, message)
}

// judge is the verdict on a hub's figures.
//
// A node that has just come does not take NodesWired away from a hub that has it, so that a roll-out of nodes or of
// agents does not flap. But it is waited for where NodesWired is not True yet, since in a new cluster every node has
// just come, and a hub must not be Ready for want of anybody to ask.
func judge(figures nodes.Figures, wired bool) (reason, message string) {
	progress := fmt.Sprintf("%d of %d nodes are wired%s", figures.Wired, figures.Desired, unproven(figures))
	starting := fmt.Sprintf("%d nodes are starting", figures.Starting)
	switch {
	case figures.FailingTotal > 0:
		return v1alpha1.ReasonNodesFailing, fmt.Sprintf("%s, %d are failing: %s", progress, figures.FailingTotal, failing(figures))
	case figures.Wired < figures.Desired:
		return v1alpha1.ReasonWiring, progress
	case figures.Starting > 0 && (figures.Desired == 0 || !wired):
		return v1alpha1.ReasonWiring, conditions.Join(progress, starting)
	case figures.Desired == 0 && figures.Bare > 0:
		return v1alpha1.ReasonWiring, "no agent runs on any node that the hub selects"
	case figures.Desired == 0:
		return v1alpha1.ReasonNoNodes, "the hub selects no Ready Linux node"
	}
	return v1alpha1.ReasonNodesWired, progress
}

// unproven tells of nodes that pull through the hub for all that is known, which is not all that could be.
func unproven(figures nodes.Figures) string {
	if figures.Unproven == 0 {
		return ""
	}
	return fmt.Sprintf(", %d of them unproven", figures.Unproven)
}

func failing(figures nodes.Figures) string {
	names := make([]string, 0, len(figures.Failing)+1)
	for _, node := range figures.Failing {
		names = append(names, fmt.Sprintf("%s (%s)", node.Name, node.Reason))
	}
	if more := figures.FailingTotal - len(figures.Failing); more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
}

// bare tells of nodes that are left out of the figures, so that they are not left out in silence.
func bare(figures nodes.Figures) string {
	if figures.Bare == 0 || figures.Desired == 0 {
		return ""
	}
	return fmt.Sprintf("%d selected nodes have no agent and pull from the upstream", figures.Bare)
}

func wasWired(hub *v1alpha1.RegistryHub) bool {
	for _, condition := range hub.Status.Conditions {
		if condition.Type == v1alpha1.ConditionNodesWired {
			return condition.Status == metav1.ConditionTrue
		}
	}
	return false
}
