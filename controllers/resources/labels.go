package resources

import (
	"maps"

	"github.com/registryhub/registryhub/api/v1alpha1"
)

// Labels of what the operator makes, and their values (the recommended labels of Kubernetes).
const (
	labelName      = "app.kubernetes.io/name"
	labelComponent = "app.kubernetes.io/component"
	labelManagedBy = "app.kubernetes.io/managed-by"

	valueName             = "registryhub"
	valueManagedBy        = "registryhub"
	componentProxy        = "proxy"
	componentNodeAgent    = "node-agent"
	componentNodeWiring   = "node-wiring"
	componentCertificates = "certificates"
)

// AgentPodLabels select the Pods of the node agents.
func AgentPodLabels() map[string]string {
	return map[string]string{labelName: valueName, labelComponent: componentNodeAgent}
}

// hubSelector selects a hub's Pods. It must never change: a Deployment's selector is immutable.
func hubSelector(hub *v1alpha1.RegistryHub) map[string]string {
	return map[string]string{labelName: valueName, labelComponent: componentProxy, v1alpha1.LabelHub: hub.Name}
}

func hubLabels(hub *v1alpha1.RegistryHub) map[string]string { return managed(hubSelector(hub)) }

func managed(labels map[string]string) map[string]string {
	labels = maps.Clone(labels)
	labels[labelManagedBy] = valueManagedBy
	return labels
}
