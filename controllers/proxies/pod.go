package proxies

import (
	"net"
	"strconv"

	corev1 "k8s.io/api/core/v1"

	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/resources"
)

// Slim leaves of a proxy's Pod what this package reads, for the manager's cache.
func Slim(pod *corev1.Pod) {
	nudged, isNudged := pod.Annotations[v1alpha1.AnnotationConfigHash]
	pod.ManagedFields, pod.Annotations = nil, nil
	if isNudged {
		pod.Annotations = map[string]string{v1alpha1.AnnotationConfigHash: nudged}
	}
	containers := make([]corev1.Container, 0, len(pod.Spec.Containers))
	for _, container := range pod.Spec.Containers {
		containers = append(containers, corev1.Container{Name: container.Name, Ports: container.Ports})
	}
	pod.Spec = corev1.PodSpec{Containers: containers}
	pod.Status = corev1.PodStatus{PodIP: pod.Status.PodIP, Conditions: pod.Status.Conditions}
}

// address is where a Pod's proxy can be asked, host:port; empty while it cannot be: the Pod is not Ready, or going.
func address(pod *corev1.Pod) string {
	port := diagnosticsPort(pod)
	if !isReady(pod) || !pod.DeletionTimestamp.IsZero() || pod.Status.PodIP == "" || port == 0 {
		return ""
	}
	return net.JoinHostPort(pod.Status.PodIP, strconv.Itoa(int(port)))
}

func diagnosticsPort(pod *corev1.Pod) int32 {
	for _, container := range pod.Spec.Containers {
		for _, port := range container.Ports {
			if port.Name == resources.DiagnosticsPortName {
				return port.ContainerPort
			}
		}
	}
	return 0
}

func isReady(pod *corev1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}
