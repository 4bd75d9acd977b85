package nodes

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
)

func isStartupTaint(taint corev1.Taint) bool {
	return taint.Key == v1alpha1.TaintNotWired && taint.Effect == corev1.TaintEffectNoSchedule
}

func startupTaints(taints []corev1.Taint) []corev1.Taint {
	var ours []corev1.Taint
	for _, taint := range taints {
		if isStartupTaint(taint) {
			ours = append(ours, taint)
		}
	}
	return ours
}

// Freedom is what becomes of a node that waits for its wiring.
type Freedom struct {
	// Wired: every hub that selects the node is in force on it.
	Wired bool
	// Overdue: it has waited for as long as it may.
	Overdue bool
	// Remains is how long it may go on to wait.
	Remains time.Duration
}

// FreedomOf decides over a node with the start-up taint. Only hubs that nodes are told of count: one whose proxy does not
// serve yet may wait for this very node.
func FreedomOf(node Node, registered time.Time, configuration *configv1alpha1.NodeConfiguration, timeout time.Duration, now time.Time) Freedom {
	remains := registered.Add(timeout).Sub(now)
	return Freedom{Wired: hasEverything(node, configuration), Overdue: remains <= 0, Remains: remains}
}

func hasEverything(node Node, configuration *configv1alpha1.NodeConfiguration) bool {
	if configuration == nil {
		return true
	}
	return !slices.ContainsFunc(configuration.Hubs, func(hub configv1alpha1.NodeHub) bool { return lacks(node, hub) })
}

func lacks(node Node, hub configv1alpha1.NodeHub) bool {
	selector, err := metav1.LabelSelectorAsSelector(defaultSelector(hub.Selector))
	if err != nil || !selector.Matches(node.Labels) {
		return false
	}
	return !node.heard(hub) || exceptionOf(node, hub.Name) != nil
}
