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

// EndpointType says by which address nodes reach a hub.
// +kubebuilder:validation:Enum=ClusterIP;NodePort;External
type EndpointType string

// The addresses of a hub.
const (
	// EndpointClusterIP is the cluster address of the hub's Service, the first where it has several.
	EndpointClusterIP EndpointType = "ClusterIP"
	// EndpointNodePort is a port of each node, at 127.0.0.1.
	EndpointNodePort EndpointType = "NodePort"
	// EndpointExternal is what somebody else has put in front of the hub's Service.
	EndpointExternal EndpointType = "External"
)

// EndpointSpec says how nodes reach a hub. All of it can be changed: nodes are led to the new endpoint once it is served, and
// the old one is served until they are, where it is the hub's own.
// Example: {scheme: HTTPS}.
// +kubebuilder:validation:XValidation:rule="(has(self.type) && self.type == 'External') == has(self.external)",message="spec.endpoint.external must be set when spec.endpoint.type is External, and must not be set otherwise"
// +kubebuilder:validation:XValidation:rule="!has(self.certificate) || self.scheme == 'HTTPS'",message="spec.endpoint.certificate cannot be set with spec.endpoint.scheme HTTP, over which no certificate is shown"
// +kubebuilder:validation:XValidation:rule="!has(self.external) || self.external.url.startsWith(self.scheme == 'HTTPS' ? 'https://' : 'http://')",message="spec.endpoint.external.url must be of spec.endpoint.scheme: what stands in front of the hub hands connections on as they are"
type EndpointSpec struct {
	// type says by which address nodes reach the hub. ClusterIP: that of its Service, which kube-proxy or its like has to serve to
	// the node itself. NodePort: a port at 127.0.0.1 of each node, for clusters where the node itself reaches no cluster
	// address; it needs node ports on loopback over IPv4, as kube-proxy in iptables mode has them, and opens the hub to whoever
	// reaches a node. External: the URL of external. Default: ClusterIP.
	// +optional
	// +kubebuilder:default=ClusterIP
	Type EndpointType `json:"type,omitempty"`

	// external is set when type is External.
	// +optional
	External *ExternalEndpoint `json:"external,omitempty"`

	// scheme of the endpoint. HTTPS: the operator issues the hub's certificate and gives its certificate authority to
	// the nodes. HTTP: who can listen between a node and the hub sees what is pulled; the bytes are held to their
	// digests all the same, tags are not. Default: HTTPS.
	// +optional
	// +kubebuilder:default=HTTPS
	Scheme EndpointScheme `json:"scheme,omitempty"`

	// certificate says who issues the hub's certificate in the operator's place. Needs scheme HTTPS, and cert-manager. Default:
	// the operator's own certificate authority does.
	// +optional
	Certificate *CertificateSpec `json:"certificate,omitempty"`
}

// ExternalEndpoint is what somebody else has put in front of a hub's Service, such as a load balancer or a DNS name.
type ExternalEndpoint struct {
	// url that nodes are led to: a scheme, a host, and a port where it is not the scheme's own; no path. Connections must come to
	// port 5000 of the hub's Service as they are: over https the hub's own certificate is shown, which names the host.
	// Example: https://hub.example.com:5000.
	// +required
	// +kubebuilder:validation:MaxLength=270
	// +kubebuilder:validation:XValidation:rule="self.matches('^https?://([a-z0-9]([-a-z0-9]*[a-z0-9])?(\\\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*|\\\\[[0-9a-f:.]+\\\\])(:[0-9]{1,5})?$')",message="url must be an http or https URL of a lower-case DNS name or an address, with a port where it has one, and nothing behind it, such as https://hub.example.com:5000"
	URL string `json:"url"`
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
