package resources

import (
	"maps"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"

	"github.com/registryhub/registryhub/api/v1alpha1"
)

// Labels of what the operator makes, and their values (the recommended labels of Kubernetes).
const (
	labelName      = "app.kubernetes.io/name"
	labelComponent = "app.kubernetes.io/component"
	labelManagedBy = "app.kubernetes.io/managed-by"
	// labelAsks has network policies let a Pod ask the API server.
	labelAsks = "registryhub.io/asks"

	valueName             = "registryhub"
	valueManagedBy        = "registryhub"
	componentProxy        = "proxy"
	componentNodeAgent    = "node-agent"
	componentNodeWiring   = "node-wiring"
	componentCertificates = "certificates"
	componentRemedy       = "remedy"
	valueAPIServer        = "api-server"
)

// AgentPodLabels select the Pods of the node agents.
func AgentPodLabels() map[string]string {
	return map[string]string{labelName: valueName, labelComponent: componentNodeAgent}
}

// WatchedPods selects the Pods that the manager watches: those of the node agents, and those of the hubs' proxies.
func WatchedPods() labels.Selector {
	component, err := labels.NewRequirement(labelComponent, selection.In, []string{componentNodeAgent, componentProxy})
	if err != nil {
		panic(err) // constants that are no labels: a fault of the program
	}
	return labels.SelectorFromSet(labels.Set{labelName: valueName}).Add(*component)
}

// hubSelector selects a hub's Pods. It must never change: a Deployment's selector is immutable.
func hubSelector(hub *v1alpha1.RegistryHub) map[string]string {
	return map[string]string{labelName: valueName, labelComponent: componentProxy, v1alpha1.LabelHub: hub.Name}
}

func hubLabels(hub *v1alpha1.RegistryHub) map[string]string { return managed(hubSelector(hub)) }

func podLabels(hub *v1alpha1.RegistryHub) map[string]string {
	given := hubLabels(hub)
	if AsksTheCluster(hub) {
		given[labelAsks] = valueAPIServer
	}
	return given
}

func managed(given map[string]string) map[string]string {
	given = maps.Clone(given)
	given[labelManagedBy] = valueManagedBy
	return given
}
