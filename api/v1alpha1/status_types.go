package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// RegistryHubStatus is what the operator saw last.
type RegistryHubStatus struct {
	// observedGeneration is the generation of the spec that the rest of the status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions of the hub: Ready, the summary; Reconciling, Stalled and Suspended, present only while true; StorageReady,
	// CertificateReady, ProxyAvailable and NodesWired; UpstreamReachable, once an upstream was asked; IdentitiesKnown, with spec.access.kubernetes.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// endpoint is the URL at which nodes reach the hub.
	// Example: https://10.96.31.7:5000.
	// +optional
	Endpoint string `json:"endpoint,omitempty"`

	// formerEndpoint is where nodes were led before the hub moved. It is served as before while nodes that count are led
	// there, and for a while after, so that pulls that began there can end; then it is absent.
	// +optional
	FormerEndpoint *FormerEndpoint `json:"formerEndpoint,omitempty"`

	// certificate is how far the hub is with the certificate of spec.endpoint.certificate. Absent without.
	// +optional
	Certificate *CertificateStatus `json:"certificate,omitempty"`

	// access is who may use the hub, what the operator chose by itself included.
	// +optional
	Access AccessStatus `json:"access,omitempty"`

	// upstreams are the registries that the hub asks, those that it chose by itself included.
	// +optional
	// +listType=map
	// +listMapKey=name
	Upstreams []UpstreamStatus `json:"upstreams,omitempty"`

	// storage is what the hub's storage came to.
	// +optional
	Storage *StorageStatus `json:"storage,omitempty"`

	// prewarm is how far the hub is with what it pulls ahead.
	// +optional
	Prewarm *PrewarmStatus `json:"prewarm,omitempty"`

	// cache is how well the cache serves.
	// +optional
	Cache *CacheStatus `json:"cache,omitempty"`

	// nodes are the figures of the nodes that should pull through the hub.
	// +optional
	Nodes *NodesStatus `json:"nodes,omitempty"`
}

// NodesStatus are the figures of the nodes that should pull through a hub.
type NodesStatus struct {
	// desired is the number of Ready Linux nodes that the hub selects and on which an agent runs.
	Desired int32 `json:"desired"`

	// wired is how many of those have the hub's present wiring in force.
	Wired int32 `json:"wired"`

	// summary is wired/desired, for people.
	// Example: 12/12.
	// +optional
	Summary string `json:"summary,omitempty"`

	// failing names nodes that report an exception, sorted by name. At most 10.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=10
	Failing []FailingNode `json:"failing,omitempty"`
}

// FailingNode is a node that cannot pull through a hub.
type FailingNode struct {
	// name of the node.
	// +required
	Name string `json:"name"`

	// reason, one of the constants of NodeMirror's exceptions.
	// Example: ForeignHostsFile.
	// +required
	Reason string `json:"reason"`

	// message says what is the matter and what to do.
	// +optional
	Message string `json:"message,omitempty"`
}
