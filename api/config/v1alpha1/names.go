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
	// RegistryName is the ServiceAccount of registries that ask who may push.
	RegistryName = "registryhub-registry"
	// AuthoritySecretName is the Secret that holds the certificate authority, key included: nobody but the manager needs
	// it.
	AuthoritySecretName = "registryhub-ca"
	// NodeClientSecretName is the Secret with the client certificate that nodes show to hubs.
	NodeClientSecretName = "registryhub-node-client"
	// BundleName is the ConfigMap that holds the certificates, and no key, that nodes and hubs trust.
	BundleName = "registryhub-ca-bundle"
	// BundleKey is its key in that ConfigMap, and in every Secret with a certificate.
	BundleKey = "ca.crt"
	// FieldManager is the one name under which the operator applies objects.
	FieldManager = "registryhub"
)
