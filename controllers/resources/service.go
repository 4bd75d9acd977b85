package resources

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/registryhub/registryhub/api/v1alpha1"
)

// Service gives a hub the address that nodes reach it at. Only the registry is there: diagnostics are read from
// the Pod.
func Service(hub *v1alpha1.RegistryHub, settings Settings) *corev1ac.ServiceApplyConfiguration {
	kind := corev1.ServiceTypeClusterIP
	if hasNodePort(hub) {
		kind = corev1.ServiceTypeNodePort
	}
	return corev1ac.Service(ChildName(hub), settings.Namespace).
		WithLabels(hubLabels(hub)).
		WithSpec(corev1ac.ServiceSpec().
			WithType(kind).
			WithIPFamilyPolicy(corev1.IPFamilyPolicyPreferDualStack).
			WithSelector(hubSelector(hub)).
			WithPorts(corev1ac.ServicePort().
				WithName(registryPortName).
				WithProtocol(corev1.ProtocolTCP).
				WithPort(RegistryPort).
				WithTargetPort(intstr.FromString(registryPortName))))
}
