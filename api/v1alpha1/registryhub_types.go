package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// HubMode says what a hub is.
// +kubebuilder:validation:Enum=Mirror;Local
type HubMode string

// What a hub can be.
const (
	// HubModeMirror is a pull-through cache of an upstream registry.
	HubModeMirror HubMode = "Mirror"
	// HubModeLocal is a registry that is pushed to.
	HubModeLocal HubMode = "Local"
)

// RegistryHub stands for one registry that the cluster uses. The operator runs a caching proxy for it and
// leads every node's containerd through that proxy, without any change to a Pod.
//
// Example:
//
//	apiVersion: registryhub.io/v1alpha1
//	kind: RegistryHub
//	metadata:
//	  name: docker-io
//	spec:
//	  hosts: [docker.io]
//	  mode: Mirror
//	  mirror: {}
//	  storage:
//	    type: PersistentVolumeClaim
//	    persistentVolumeClaim: {size: 100Gi}
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=rhub
// +kubebuilder:printcolumn:name="Hosts",type=string,JSONPath=`.spec.hosts`
// +kubebuilder:printcolumn:name="Mode",type=string,JSONPath=`.spec.mode`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Nodes",type=string,JSONPath=`.status.nodes.summary`
// +kubebuilder:printcolumn:name="Endpoint",type=string,JSONPath=`.status.endpoint`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Used",type=string,priority=1,JSONPath=`.status.storage.used`
// +kubebuilder:printcolumn:name="Hit %",type=integer,priority=1,JSONPath=`.status.cache.hitPercent`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 40 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="metadata.name must be an RFC 1035 label of at most 40 characters: lower-case letters, digits and '-', beginning with a letter (the names of the hub's Service and Pods are made from it)"
type RegistryHub struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what the hub should be.
	// +required
	Spec RegistryHubSpec `json:"spec"`

	// status is what the operator saw last. It is written by the operator alone. Until it has been, it says that no
	// generation was observed: kstatus would take an object without a status for one that is done.
	// +optional
	// +kubebuilder:default:={"observedGeneration":-1}
	Status RegistryHubStatus `json:"status,omitempty"`
}

// RegistryHubList is a list of RegistryHubs.
// +kubebuilder:object:root=true
type RegistryHubList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []RegistryHub `json:"items"`
}

// RegistryHubSpec is what a hub should be.
// +kubebuilder:validation:XValidation:rule="self.mode == 'Mirror' ? has(self.mirror) : !has(self.mirror)",message="spec.mirror must be set when spec.mode is Mirror, and must not be set otherwise"
// +kubebuilder:validation:XValidation:rule="self.mode == 'Local' ? has(self.local) : !has(self.local)",message="spec.local must be set when spec.mode is Local, and must not be set otherwise"
// +kubebuilder:validation:XValidation:rule="self.mode == 'Local' ? !self.hosts.exists(h, h == '*') : true",message="the host * cannot be a registry's of its own: name the hosts that images are pushed under"
// +kubebuilder:validation:XValidation:rule="self.mode == 'Local' ? self.storage.type != 'Ephemeral' : true",message="spec.storage.type must be PersistentVolumeClaim or S3 when spec.mode is Local: what is pushed is nowhere else"
// +kubebuilder:validation:XValidation:rule="self.mode == 'Local' ? has(self.access) && (has(self.access.htpasswdSecretRef) || has(self.access.kubernetes)) : true",message="spec.access.htpasswdSecretRef or spec.access.kubernetes must be set when spec.mode is Local, so that somebody can push"
// +kubebuilder:validation:XValidation:rule="self.mode == 'Local' ? true : !(has(self.access) && has(self.access.htpasswdSecretRef))",message="spec.access.htpasswdSecretRef can be set only when spec.mode is Local: nobody pushes to a mirror"
// +kubebuilder:validation:XValidation:rule="self.mode == 'Local' ? true : !(has(self.access) && has(self.access.kubernetes))",message="spec.access.kubernetes can be set only when spec.mode is Local: nobody pushes to a mirror"
// +kubebuilder:validation:XValidation:rule="self.mode == 'Local' && self.endpoint.scheme == 'HTTP' ? has(self.access) && has(self.access.pull) && self.access.pull == 'Anyone' : true",message="nodes could not show who they are: leave spec.endpoint.scheme at HTTPS, so that only nodes and users may pull, or say spec.access.pull: Anyone"
// +kubebuilder:validation:XValidation:rule="self.mode == 'Local' ? !(has(self.nodes.foreignConfig) && self.nodes.foreignConfig == 'Adopt') : true",message="spec.nodes.foreignConfig cannot be Adopt when spec.mode is Local: what was pushed is nowhere else to be had"
// +kubebuilder:validation:XValidation:rule="has(self.mirror) && has(self.mirror.upstreams) && size(self.mirror.upstreams) > 0 ? size(self.hosts) == 1 : true",message="spec.mirror.upstreams can be given only for a hub with a single host; make a hub for each host, or leave upstreams out so that each host is its own upstream"
// +kubebuilder:validation:XValidation:rule="!(has(self.access) && has(self.access.pull) && self.access.pull == 'Nodes' && self.endpoint.scheme == 'HTTP')",message="spec.access.pull cannot be Nodes with spec.endpoint.scheme HTTP: nodes show who they are by a client certificate, which needs HTTPS"
// +kubebuilder:validation:XValidation:rule="self.endpoint.scheme == 'HTTP' && has(self.mirror) && has(self.mirror.upstreams) && self.mirror.upstreams.exists(u, has(u.credentialsSecretRef) || has(u.clientCertificateSecretRef)) ? has(self.access) && has(self.access.pull) && self.access.pull == 'Anyone' : true",message="what this hub pulls with its credentials would be open to every Pod that reaches it: leave spec.endpoint.scheme at HTTPS, so that only nodes may pull, or say spec.access.pull: Anyone"
// +kubebuilder:validation:XValidation:rule="self.hosts.exists(h, h == '*') ? size(self.hosts) == 1 : true",message="the host * stands alone: it is every host that has no hub of its own, so make a hub for each of the others"
// +kubebuilder:validation:XValidation:rule="has(self.mirror) ? self.hosts.exists(h, h == '*') == has(self.mirror.allowedHosts) : true",message="spec.mirror.allowedHosts must be set with the host *, and must not be set otherwise: it names the hosts that * may stand for"
// +kubebuilder:validation:XValidation:rule="has(self.mirror) && self.hosts.exists(h, h == '*') ? !has(self.mirror.upstreams) || size(self.mirror.upstreams) == 0 : true",message="spec.mirror.upstreams cannot be given with the host *: each host that it stands for is its own upstream; make a hub for a host that is to have others"
// +kubebuilder:validation:XValidation:rule="has(self.mirror) && self.hosts.exists(h, h == '*') ? !has(self.mirror.fallbackRules) || size(self.mirror.fallbackRules) == 0 : true",message="spec.mirror.fallbackRules cannot be given with the host *: a rule is for one registry, and another may have a stranger under the name that it asks for; make a hub for the registry"
// +kubebuilder:validation:XValidation:rule="self.hosts.exists(h, h == '*') ? !(has(self.nodes.foreignConfig) && self.nodes.foreignConfig == 'Adopt') : true",message="spec.nodes.foreignConfig cannot be Adopt with the host *: nothing is adopted for it, and what nodes have for single hosts stays in force"
// +kubebuilder:validation:XValidation:rule="self.hosts.exists(h, h == '*') ? !(has(self.nodes.fallback) && self.nodes.fallback == 'None') : true",message="spec.nodes.fallback cannot be None with the host *: what is pulled from nowhere else must be named, so make a hub for each such host"
// +kubebuilder:validation:XValidation:rule="!has(self.proxy) || !has(self.proxy.replicas) || self.proxy.replicas == 1 || self.storage.type == 'S3' || (has(self.storage.persistentVolumeClaim) && self.storage.persistentVolumeClaim.accessModes.exists(m, m == 'ReadWriteMany'))",message="spec.proxy.replicas above 1 needs storage that several Pods can write to: spec.storage.persistentVolumeClaim.accessModes with ReadWriteMany, or spec.storage.type S3"
type RegistryHubSpec struct {
	// hosts are the registry hosts that the hub stands for, as they are written in image references:
	// "docker.io", "registry.k8s.io", "10.0.0.1:5000", "[fd00::1]:5000". No scheme, no path. Or "*", alone: every host
	// that has no hub of its own and that mirror.allowedHosts holds. On nodes that two hubs select, the older hub has a host
	// that both claim, and the newer hub is Stalled; "*" and a host of another hub are no such conflict.
	// At least 1, at most 16.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Hosts []RegistryHost `json:"hosts"`

	// mode says what the hub is, and which member beside it is set. Mirror: a pull-through cache. Local: a registry that is
	// pushed to. It cannot be changed.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="spec.mode cannot be changed; make another hub"
	Mode HubMode `json:"mode"`

	// mirror is set when mode is Mirror: where the content comes from, and how it is asked for. An empty
	// object will do: then each host is its own upstream.
	// +optional
	Mirror *MirrorSpec `json:"mirror,omitempty"`

	// local is set when mode is Local: what is taken, and how. An empty object will do.
	// +optional
	Local *LocalSpec `json:"local,omitempty"`

	// storage is where the hub keeps what it pulled, or what was pushed to it.
	// +required
	Storage StorageSpec `json:"storage"`

	// proxy are settings of the Pod that serves the hub.
	// +optional
	Proxy ProxySpec `json:"proxy,omitempty"`

	// nodes says which nodes pull through the hub, and how.
	// +optional
	// +kubebuilder:default={}
	Nodes NodesSpec `json:"nodes,omitempty"`

	// endpoint says how nodes reach the hub.
	// +optional
	// +kubebuilder:default={}
	Endpoint EndpointSpec `json:"endpoint,omitempty"`

	// access says who may use the hub.
	// +optional
	Access AccessSpec `json:"access,omitempty"`

	// suspend leaves the hub as it is: what was made for it serves on, nodes stay wired as they are, and changes of the spec wait.
	// Only certificates are renewed, and nodes lose hosts to an older hub as ever. The status goes on to tell how the hub is.
	// A suspended hub can be deleted. Default: false.
	// +optional
	Suspend bool `json:"suspend,omitempty"`
}

// RegistryHost is a registry's host as written in image references, with a port where it has one.
// Example: "registry.example.com:5000".
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=253
// +kubebuilder:validation:XValidation:rule="!self.contains('://')",message="a host has no scheme: write docker.io, not https://docker.io"
// +kubebuilder:validation:XValidation:rule="!self.contains('/')",message="a host has no path: write docker.io, not docker.io/library"
// +kubebuilder:validation:XValidation:rule="!self.contains('@')",message="a host has no user information"
// +kubebuilder:validation:XValidation:rule="!self.contains('?')",message="a host has no query"
// +kubebuilder:validation:XValidation:rule="self == '*' || self.matches('^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\\\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*|\\\\[[0-9a-f:.]+\\\\])(:[0-9]{1,5})?$')",message="a host is a lower-case DNS name, an IPv4 address or an IPv6 address in brackets, with a port where it has one, such as docker.io or registry.example.com:5000; or * for every other host"
type RegistryHost string

// NodesSpec says which nodes pull through a hub, and how.
// +kubebuilder:validation:XValidation:rule="!(has(self.fallback) && self.fallback == 'None' && has(self.foreignConfig) && self.foreignConfig == 'Adopt')",message="spec.nodes.fallback None cannot go with spec.nodes.foreignConfig Adopt: what somebody else wrote for a host is another place to pull from"
type NodesSpec struct {
	// selector chooses the nodes by their labels. Default: every Linux node.
	// Example: {matchLabels: {zone: a}}.
	// +optional
	Selector *metav1.LabelSelector `json:"selector,omitempty"`

	// dialTimeout is how long a node waits for the hub to accept a connection before it goes to the upstream
	// (containerd 2.1 and later; older versions wait for the kernel's time-out). Default: 1s. From 100ms to 30s.
	// +optional
	// +kubebuilder:default="1s"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('100ms') && duration(self) <= duration('30s')",message="spec.nodes.dialTimeout must be from 100ms to 30s"
	DialTimeout *metav1.Duration `json:"dialTimeout,omitempty"`

	// foreignConfig says what becomes of a directory that somebody else wrote into containerd's configuration for one of
	// the hosts. Leave: it stays, and the node pulls past the hub and reports it. Adopt: its hosts are asked after the hub,
	// in their order, and its server last; the original is kept, and put back as it was when the hub goes. Default: Leave.
	// +optional
	// +kubebuilder:default=Leave
	ForeignConfig ForeignConfig `json:"foreignConfig,omitempty"`

	// fallback says what becomes of pulls while the hub does not answer a node. Upstream: they go to the upstream. None:
	// they fail, as in a cluster that cannot reach the upstream and should not try; the hub's hosts stay on the node, through
	// a reboot too. None is refused, with FallbackRefused, for the hosts that images come from which the hub itself needs
	// to start; pulls go to the upstream meanwhile. Default: Upstream.
	// +optional
	// +kubebuilder:default=Upstream
	Fallback NodeFallback `json:"fallback,omitempty"`
}

// NodeFallback is what becomes of a node's pulls while a hub does not answer.
// +kubebuilder:validation:Enum=Upstream;None
type NodeFallback string

// What a NodeFallback can be.
const (
	// NodeFallbackUpstream has them go to the upstream.
	NodeFallbackUpstream NodeFallback = "Upstream"
	// NodeFallbackNone has them fail.
	NodeFallbackNone NodeFallback = "None"
)

// ForeignConfig is what becomes of somebody else's configuration of a host.
// +kubebuilder:validation:Enum=Leave;Adopt
type ForeignConfig string

// What a ForeignConfig can be.
const (
	// ForeignConfigLeave leaves it alone.
	ForeignConfigLeave ForeignConfig = "Leave"
	// ForeignConfigAdopt has it stand behind the hub.
	ForeignConfigAdopt ForeignConfig = "Adopt"
)
