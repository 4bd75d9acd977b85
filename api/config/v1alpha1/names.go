package v1alpha1

// Names in the operator's namespace that its parts agree on.
const (
	// NodeConfigurationName is the ConfigMap that holds the NodeConfiguration.
	NodeConfigurationName = "registryhub-node-configuration"
	// NodeConfigurationKey is its key in that ConfigMap.
	NodeConfigurationKey = "node-configuration.yaml"
	// NodeAgentName is the DaemonSet of the nodes' agents, and their ServiceAccount.
	NodeAgentName = "registryhub-node-agent"
	// ManagerName is the Deployment of the manager, and its ServiceAccount.
	ManagerName = "registryhub-manager"
	// FieldManager is the one name under which the operator applies objects.
	FieldManager = "registryhub"
)
