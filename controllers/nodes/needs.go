package nodes

import (
	"cmp"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
)

// Need is an image without which a hub may not be able to start: it must not be to be had through a hub alone.
type Need struct {
	// Host that the image comes from.
	Host string
	// Workload runs the image: "DaemonSet kube-system/kube-proxy".
	Workload string
	// Image is its reference.
	Image string
}

// RefusedFallback are the needs for which a hub cannot have the fallback None; none for a hub that does not ask for it,
// as one that is pushed to always does.
func RefusedFallback(hub *v1alpha1.RegistryHub, needs []Need) []Need {
	if !hub.Spec.StaysOnNodes() {
		return nil
	}
	var refused []Need
	for _, need := range needs {
		if slices.Contains(hub.Spec.Hosts, v1alpha1.RegistryHost(need.Host)) {
			refused = append(refused, need)
		}
	}
	return refused
}

// needsOf are a workload's.
func needsOf(workload string, pod corev1.PodSpec) []Need {
	var needs []Need
	for _, containers := range [][]corev1.Container{pod.InitContainers, pod.Containers} {
		for _, container := range containers {
			needs = append(needs, Need{Host: configv1alpha1.ImageHost(container.Image), Workload: workload, Image: container.Image})
		}
	}
	return needs
}

// sortNeeds puts them in an order that does not change, each once.
func sortNeeds(needs []Need) []Need {
	slices.SortFunc(needs, func(a, b Need) int {
		return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.Workload, b.Workload), cmp.Compare(a.Image, b.Image))
	})
	return slices.Compact(needs)
}

// The priority classes that Kubernetes has for what a node and a cluster cannot do without.
const (
	nodeCritical    = "system-node-critical"
	clusterCritical = "system-cluster-critical"
)

// isEssential says whether Pods of a node may not start without this DaemonSet: because it says so by its priority, as
// kube-proxy and most network plug-ins do, or because it has the node's directories of network plug-ins (CNI) or registers
// with the kubelet as a driver of volumes (CSI).
func isEssential(daemonSet *appsv1.DaemonSet) bool {
	pod := daemonSet.Spec.Template.Spec
	return pod.PriorityClassName == nodeCritical || pod.PriorityClassName == clusterCritical ||
		slices.ContainsFunc(pod.Volumes, func(v corev1.Volume) bool { return v.HostPath != nil && isPluginPath(v.HostPath.Path) })
}

// isPluginPath knows /etc/cni/net.d, /opt/cni/bin and the kubelet's plugins_registry, wherever a distribution has them.
func isPluginPath(path string) bool {
	elements := strings.Split(path, "/")
	return slices.Contains(elements, "cni") || slices.Contains(elements, "plugins_registry")
}
