package resources

import (
	"maps"

	corev1 "k8s.io/api/core/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"

	"github.com/registryhub/registryhub/api/v1alpha1"
)

// schedule says where a hub's Pods may run.
func schedule(pod *corev1ac.PodSpecApplyConfiguration, hub *v1alpha1.RegistryHub) {
	proxy := hub.Spec.Proxy
	pod.WithNodeSelector(proxyNodeSelector(hub)).
		WithTolerations(startupToleration()).
		WithTopologySpreadConstraints(spread(hub)...)
	for i := range proxy.Tolerations {
		pod.WithTolerations(intended[corev1ac.TolerationApplyConfiguration](proxy.Tolerations[i]))
	}
	if proxy.Affinity != nil {
		pod.WithAffinity(intended[corev1ac.AffinityApplyConfiguration](proxy.Affinity))
	}
	if proxy.PriorityClassName != "" {
		pod.WithPriorityClassName(proxy.PriorityClassName)
	}
}

// proxyNodeSelector adds to the hub's own that the image is a Linux one.
func proxyNodeSelector(hub *v1alpha1.RegistryHub) map[string]string {
	selector := map[string]string{corev1.LabelOSStable: "linux"}
	maps.Copy(selector, hub.Spec.Proxy.NodeSelector)
	return selector
}

// startupToleration lets a hub start on nodes that wait for hubs.
func startupToleration() *corev1ac.TolerationApplyConfiguration {
	return corev1ac.Toleration().
		WithKey(v1alpha1.TaintNotWired).
		WithOperator(corev1.TolerationOpExists).
		WithEffect(corev1.TaintEffectNoSchedule)
}

// spread is how Pods are spread that there may be several of, whether or not there are: a change of their number must not
// replace them. A constraint of the spec that selects nothing would be about no Pod, and is about the hub's.
func spread(hub *v1alpha1.RegistryHub) []*corev1ac.TopologySpreadConstraintApplyConfiguration {
	own := metav1ac.LabelSelector().WithMatchLabels(hubSelector(hub))
	given := hub.Spec.Proxy.TopologySpreadConstraints
	if len(given) == 0 && sharesStorage(hub) {
		return []*corev1ac.TopologySpreadConstraintApplyConfiguration{corev1ac.TopologySpreadConstraint().
			WithTopologyKey(corev1.LabelHostname).
			WithMaxSkew(1).
			WithWhenUnsatisfiable(corev1.ScheduleAnyway).
			WithLabelSelector(own).
			WithMatchLabelKeys("pod-template-hash")} // Pods that are on their way out do not count
	}
	list := make([]*corev1ac.TopologySpreadConstraintApplyConfiguration, 0, len(given))
	for i := range given {
		constraint := intended[corev1ac.TopologySpreadConstraintApplyConfiguration](given[i])
		if constraint.LabelSelector == nil {
			constraint.WithLabelSelector(own)
		}
		list = append(list, constraint)
	}
	return list
}
