package resources

import (
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	policyv1ac "k8s.io/client-go/applyconfigurations/policy/v1"

	"github.com/registryhub/registryhub/api/v1alpha1"
)

// PodDisruptionBudget has a hub's Pods evicted one at a time; nil for a hub that can have only one, which is nobody's to
// hold a node's drain up for. It holds none up: of a single Pod it lets that one go, and a Pod that is not Ready may
// always go.
func PodDisruptionBudget(hub *v1alpha1.RegistryHub, settings Settings) *policyv1ac.PodDisruptionBudgetApplyConfiguration {
	if !sharesStorage(hub) {
		return nil
	}
	return policyv1ac.PodDisruptionBudget(ChildName(hub), settings.Namespace).
		WithLabels(hubLabels(hub)).
		WithSpec(policyv1ac.PodDisruptionBudgetSpec().
			WithMaxUnavailable(intstr.FromInt32(1)).
			WithUnhealthyPodEvictionPolicy(policyv1.AlwaysAllow).
			WithSelector(metav1ac.LabelSelector().WithMatchLabels(hubSelector(hub))))
}
