package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// NodeMirror is what one node made of the cluster's hubs. It is named after the node and owned by it; the
// operator makes it, and the node's agent writes its status. It has no spec: what nodes should do stands in one
// NodeConfiguration for all of them.
//
// Example, of a node that has a containerd configuration of its own for one of the hub's hosts:
//
//	apiVersion: registryhub.io/v1alpha1
//	kind: NodeMirror
//	metadata:
//	  name: worker-1
//	status:
//	  revision: 12
//	  provenRevision: 12
//	  exceptions:
//	  - hub: docker-io
//	    host: docker.io
//	    reason: ForeignHostsFile
//	    message: /etc/containerd/certs.d/docker.io was not written by RegistryHub and was left alone; ...
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster
// +kubebuilder:printcolumn:name="Revision",type=integer,JSONPath=`.status.revision`
// +kubebuilder:printcolumn:name="Exceptions",type=string,JSONPath=`.status.exceptions[*].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type NodeMirror struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// status is what the node's agent reported last.
	// +optional
	Status NodeMirrorStatus `json:"status,omitempty"`
}

// NodeMirrorList is a list of NodeMirrors.
// +kubebuilder:object:root=true
type NodeMirrorList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []NodeMirror `json:"items"`
}

// NodeMirrorStatus is what a node's agent reported last.
type NodeMirrorStatus struct {
	// revision of the NodeConfiguration that is in force on the node. A hub that has not answered the node yet is not in
	// force, so that an older revision is reported for a minute at most; then the hub is an exception. 0: none yet.
	// +optional
	Revision int64 `json:"revision,omitempty"`

	// provenRevision says that each hub whose entry is of this revision or an older one was proven: the node's runtime got
	// the hub's canary from each of its hosts since that entry is in force, or the host is an exception. Absent: nothing
	// is proven on the node, since canaries are turned off.
	// +optional
	ProvenRevision *int64 `json:"provenRevision,omitempty"`

	// exceptions are the hubs' hosts that the node could not wire. None: every hub that selects the node is in
	// force. Sorted by hub, then host. At most 64.
	// +optional
	// +listType=map
	// +listMapKey=hub
	// +listMapKey=host
	// +kubebuilder:validation:MaxItems=64
	Exceptions []NodeException `json:"exceptions,omitempty"`
}

// NodeException is one host of one hub that a node could not wire.
type NodeException struct {
	// hub that the host belongs to.
	// +required
	Hub string `json:"hub"`

	// host that is not wired.
	// +required
	Host string `json:"host"`

	// reason is one of the NodeReason constants.
	// +required
	Reason string `json:"reason"`

	// message says what is the matter and what to do about it. At most 1024 characters.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
}

// Reasons of a NodeException.
const (
	// NodeReasonForeignHostsFile: the host has a directory in containerd's configuration that this project did
	// not write. It is left alone.
	NodeReasonForeignHostsFile = "ForeignHostsFile"
	// NodeReasonNoClientCertificate: the hub lets in only who shows the nodes' client certificate, and the agent does not
	// have it yet.
	NodeReasonNoClientCertificate = "NoClientCertificate"
	// NodeReasonWriteFailed: the host's files could not be written. The agent tries again.
	NodeReasonWriteFailed = "WriteFailed"
	// NodeReasonHubUnreachable: the hub has not answered the node for a minute. Its hosts were withdrawn from the node
	// within seconds, and come back when it answers again, with the exception gone.
	NodeReasonHubUnreachable = "HubUnreachable"
	// NodeReasonFallbackRefused: the hub's fallback is None, and the image that every Pod of the node begins with comes from
	// the host. The host is wired with the upstream to fall back to.
	NodeReasonFallbackRefused = "FallbackRefused"
	// NodeReasonReadOnlyHost: the certs directory is on a file system that cannot be written, as on Talos.
	NodeReasonReadOnlyHost = "ReadOnlyHost"
	// NodeReasonConfigPathUnset: the host did not prove to be wired, and containerd's config_path does not name the
	// certs directory.
	NodeReasonConfigPathUnset = "ConfigPathUnset"
	// NodeReasonTransferServiceMultiRoot: the host did not prove to be wired, and containerd's config_path is a list,
	// which its transfer service (2.1 and later) takes for one directory.
	NodeReasonTransferServiceMultiRoot = "TransferServiceMultiRoot"
	// NodeReasonLegacyMirrorsPresent: the host did not prove to be wired, and containerd is configured with mirrors in
	// the legacy way, beside which it reads no hosts.toml.
	NodeReasonLegacyMirrorsPresent = "LegacyMirrorsPresent"
	// NodeReasonRestartPending: the host did not prove to be wired, and containerd's configuration was changed after
	// containerd started.
	NodeReasonRestartPending = "RestartPending"
	// NodeReasonRuntimeUnknown: the host did not prove to be wired, and what the runtime is, or how it is configured,
	// could not be found out.
	NodeReasonRuntimeUnknown = "RuntimeUnknown"
	// NodeReasonCanaryFailed: the runtime did not get the hub's canary from the host, and nothing in its configuration
	// says why.
	NodeReasonCanaryFailed = "CanaryFailed"
)
