package resources

import (
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
)

// agentMetricsPortName is how Prometheus finds the agents that can be reached.
const agentMetricsPortName = "metrics"

// withMetrics has an agent serve metrics where its configuration says so. Without that nothing of the Pod is different.
func withMetrics(container *corev1ac.ContainerApplyConfiguration, agent configv1alpha1.NodeAgentConfiguration) *corev1ac.ContainerApplyConfiguration {
	if agent.MetricsAddress == "" {
		return container
	}
	container.WithArgs("--metrics-address=" + agent.MetricsAddress)
	if port := agent.MetricsPort(); port != 0 {
		// In the host's network a container's port is the host's.
		container.WithPorts(containerPort(agentMetricsPortName, port).WithHostPort(port))
	}
	return container
}
