package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// LocalSpec describes a registry that is pushed to. Nodes are led to it, so that its hosts need no DNS:
// registry.internal/team/app:v1 will do as an image. Who pushes reaches it at its Service.
//
// Example: {immutableTags: ['team/.*:v[0-9.]+']}.
type LocalSpec struct {
	// immutableTags are RE2 expressions for the whole of "<repository>:<tag>", without the host. A tag that one of them matches
	// is given once, and names the same manifest until it is deleted. At most 32. Default: every tag can be moved.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=512
	ImmutableTags []string `json:"immutableTags,omitempty"`

	// uploadsExpireAfter is how long nobody may go on with an upload before it is thrown away, with what was pushed of it.
	// Default: 24h. From 1h to 720h.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1h') && duration(self) <= duration('720h')",message="spec.local.uploadsExpireAfter must be from 1h to 720h"
	UploadsExpireAfter *metav1.Duration `json:"uploadsExpireAfter,omitempty"`

	// sparse takes manifests some of whose children were not pushed, such as an index of more platforms than are built.
	// Default: false, and they are refused.
	// +optional
	Sparse bool `json:"sparse,omitempty"`
}

// StaysOnNodes says whether a hub's hosts stay on the nodes while it does not answer: there is nowhere else to pull from.
func (s *RegistryHubSpec) StaysOnNodes() bool {
	return s.Nodes.Fallback == NodeFallbackNone || s.Mode == HubModeLocal
}
