package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// PrewarmSpec says what a hub pulls before anybody asks for it, so that the first node waits no longer than the last, and
// an upstream that is away is not missed.
// Example: {images: [docker.io/library/nginx:1.27, docker.io/grafana/grafana:11.3.0]}.
type PrewarmSpec struct {
	// images, as they stand in Pods, of the hub's hosts. The volume needs room for them: what is evicted is pulled again in
	// its turn, and nothing is pulled ahead while there is none. At least 1, at most 256.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=256
	Images []PrewarmImage `json:"images"`

	// platforms of the images, as os/architecture or os/architecture/variant. Default: those of the nodes that the hub
	// selects. At most 16.
	// Example: [linux/amd64, linux/arm64].
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	Platforms []PrewarmPlatform `json:"platforms,omitempty"`

	// every is how long after all images were looked at they are looked at again: a tag may name something else, and
	// something may have been evicted. From 1m to 168h. Default: 1h.
	// +optional
	// +kubebuilder:default="1h"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1m') && duration(self) <= duration('168h')",message="spec.mirror.prewarm.every must be from 1m to 168h"
	Every *metav1.Duration `json:"every,omitempty"`
}

// PrewarmImage is an image's reference.
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=512
type PrewarmImage string

// PrewarmPlatform is what an image is for.
// +kubebuilder:validation:MaxLength=64
// +kubebuilder:validation:Pattern=`^[a-z0-9]+/[a-z0-9_]+(/[a-z0-9_.]+)?$`
type PrewarmPlatform string

// PrewarmStatus is how far a hub is with what it pulls ahead.
type PrewarmStatus struct {
	// images is how many there are.
	Images int32 `json:"images"`

	// warm is how many of them were in the cache, whole, when they were looked at last.
	Warm int32 `json:"warm"`

	// summary is warm/images, for people.
	// Example: 12/12.
	// +optional
	Summary string `json:"summary,omitempty"`

	// failing are images that could not be pulled when that was tried last, in the order of the spec. At most 10.
	// +optional
	// +listType=map
	// +listMapKey=image
	// +kubebuilder:validation:MaxItems=10
	Failing []PrewarmFailure `json:"failing,omitempty"`
}

// PrewarmFailure is an image that could not be pulled ahead.
type PrewarmFailure struct {
	// image as in the spec.
	// +required
	Image string `json:"image"`

	// message says why.
	// +optional
	Message string `json:"message,omitempty"`
}
