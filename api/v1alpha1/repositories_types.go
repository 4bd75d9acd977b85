package v1alpha1

// RepositoriesSpec says which repositories a hub serves. What is denied is not served, whatever allows it.
// Example: {allow: ['library/.*', 'team/.*'], deny: ['team/secret/.*']}.
// +kubebuilder:validation:MinProperties=1
type RepositoriesSpec struct {
	// allow are regular expressions (RE2), one of which must match the whole repository name as the client wrote it,
	// without the host. Default: every repository. At most 64, of at most 512 characters.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=512
	Allow []string `json:"allow,omitempty"`

	// deny are such expressions, none of which may match. Default: nothing. At most 64, of at most 512 characters.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=512
	Deny []string `json:"deny,omitempty"`
}
