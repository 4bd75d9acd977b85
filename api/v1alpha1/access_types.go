package v1alpha1

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
// Example: {pull: Anyone}, or {htpasswdSecretRef: {name: users}, kubernetes: {}} of a registry.
type AccessSpec struct {
	// pull says who may pull. Nodes: whoever shows the client certificate that only nodes have; needs the scheme HTTPS.
	// Anyone: whoever reaches the hub's Service, every Pod among them, unless a NetworkPolicy keeps it out. Default:
	// Nodes for a hub that asks an upstream with credentials or a client certificate, or that is pushed to; Anyone for any
	// other. The users of a hub that is pushed to may pull in any case. status.access shows what that came to.
	// +optional
	Pull PullAccess `json:"pull,omitempty"`

	// htpasswdSecretRef names a Secret in the operator's namespace whose key htpasswd holds the users that may push, pull and
	// delete, as htpasswd -B makes it. A changed one is used without a restart. For mode Local, which needs this or kubernetes,
	// and for no other.
	// +optional
	HtpasswdSecretRef *SecretReference `json:"htpasswdSecretRef,omitempty"`

	// kubernetes lets in ServiceAccounts, and whoever else has a token of this cluster for the audience registryhub.io/NAME, NAME
	// being the hub's, as the password of any user name. What they may do is up to RBAC: the verbs pull, push and delete on
	// registryhubs/repositories of registryhub.io, by resourceNames such as NAME:team/app, NAME:team/* and NAME:*. For mode
	// Local, and for no other; users of htpasswdSecretRef may go beside it. Default: they are not let in.
	// +optional
	Kubernetes *KubernetesAccess `json:"kubernetes,omitempty"`
}

// KubernetesAccess lets those in whom the cluster knows. Nothing about it can be chosen yet.
type KubernetesAccess struct{}

// AccessStatus is who may use a hub.
type AccessStatus struct {
	// pull is who may pull: Nodes or Anyone.
	// +optional
	Pull PullAccess `json:"pull,omitempty"`
}
