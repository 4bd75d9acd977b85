package v1alpha1

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

	// sparse takes manifests some of whose children were not pushed, such as an index of more platforms than are built.
	// Default: false, and they are refused.
	// +optional
	Sparse bool `json:"sparse,omitempty"`
}

// StaysOnNodes says whether a hub's hosts stay on the nodes while it does not answer: there is nowhere else to pull from.
func (s *RegistryHubSpec) StaysOnNodes() bool {
	return s.Nodes.Fallback == NodeFallbackNone || s.Mode == HubModeLocal
}
