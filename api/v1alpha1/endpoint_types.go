package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// EndpointScheme is the protocol of a hub's endpoint.
// +kubebuilder:validation:Enum=HTTPS;HTTP
type EndpointScheme string

// The protocols of a hub's endpoint.
const (
	EndpointHTTPS EndpointScheme = "HTTPS"
	EndpointHTTP  EndpointScheme = "HTTP"
)

// EndpointSpec says how nodes reach a hub. All of it can be changed: nodes are led to the new endpoint once it is served, and
// the old one is served until they are, where it is the hub's own.
// Example: {scheme: HTTPS}.
type EndpointSpec struct {
	// scheme of the endpoint. HTTPS: the operator issues the hub's certificate and gives its certificate authority to
	// the nodes. HTTP: who can listen between a node and the hub sees what is pulled; the bytes are held to their
	// digests all the same, tags are not. Default: HTTPS.
	// +optional
	// +kubebuilder:default=HTTPS
	Scheme EndpointScheme `json:"scheme,omitempty"`
}

// FormerEndpoint is where nodes were led before the hub moved.
type FormerEndpoint struct {
	// url of it.
	// +required
	URL string `json:"url"`

	// since is when the hub moved.
	// +required
	Since metav1.Time `json:"since"`
}
