package nodes

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/registryhub/registryhub/api/v1alpha1"
)

// Platforms are those of the nodes that a hub selects, as images name them, sorted. A node that does not say what it is has
// none, and so has a selector that cannot be read.
func Platforms(snapshot Snapshot, hub *v1alpha1.RegistryHub) []string {
	selector, err := selectorOf(hub)
	if err != nil {
		return nil
	}
	var platforms []string
	for _, node := range snapshot.Nodes {
		architecture := node.Labels[corev1.LabelArchStable]
		platform := "linux/" + architecture // a Snapshot has no others
		if architecture != "" && selector.Matches(node.Labels) && !slices.Contains(platforms, platform) {
			platforms = append(platforms, platform)
		}
	}
	slices.Sort(platforms)
	return platforms
}
