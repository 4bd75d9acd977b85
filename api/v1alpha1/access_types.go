package v1alpha1

// EndpointScheme is the protocol of a hub's endpoint.
// +kubebuilder:validation:Enum=HTTPS;HTTP
type EndpointScheme string

// The protocols of a hub's endpoint.
const (
	EndpointHTTPS EndpointScheme = "HTTPS"
	EndpointHTTP  EndpointScheme = "HTTP"
)

// EndpointSpec says how nodes reach a hub.
// Example: {scheme: HTTPS}.
type EndpointSpec struct {
	// scheme of the endpoint. HTTPS: the operator issues the hub's certificate and gives its certificate authority to
	// the nodes. HTTP: who can listen between a node and the hub sees what is pulled; the bytes are held to their
	// digests all the same, tags are not. It cannot be changed. Default: HTTPS.
	// +optional
	// +kubebuilder:default=HTTPS
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="spec.endpoint.scheme cannot be changed; make another hub"
	Scheme EndpointScheme `json:"scheme,omitempty"`
}

// PullAccess says who may pull from a hub.
// +kubebuilder:validation:Enum=Nodes;Anyone
type PullAccess string

// Who may pull from a hub.
const (
	// PullNodes are the cluster's nodes, which alone have the client certificate that the hub asks for.
	PullNodes PullAccess = "Nodes"
	// PullAnyone is whoever can reach the hub's Service, Pods included.
	PullAnyone PullAccess = "Anyone"
)

// AccessSpec says who may use a hub.
// Example: {pull: Anyone}.
type AccessSpec struct {
	// pull says who may pull. Nodes: whoever shows the client certificate that only nodes have; needs the scheme HTTPS.
	// Anyone: whoever reaches the hub's Service, every Pod among them, unless a NetworkPolicy keeps it out. Default:
	// Nodes for a hub that asks an upstream with credentials or a client certificate, Anyone for any other. status.access
	// shows what that came to.
	// +optional
	Pull PullAccess `json:"pull,omitempty"`
}

// AccessStatus is who may use a hub.
type AccessStatus struct {
	// pull is who may pull: Nodes or Anyone.
	// +optional
	Pull PullAccess `json:"pull,omitempty"`
}
