package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ScrubSpec says how a hub reads again what it holds, slowly and for ever, to find what its disk let rot. What is found
// damaged is put aside, counted, and fetched again when it is asked for.
// Example: {every: 168h, bytesPerSecond: 16Mi}.
type ScrubSpec struct {
	// every is how long a round takes in which every object is read once. Default: 168h. From 1h to 8760h; 0s: never.
	// +optional
	// +kubebuilder:default="168h"
	// +kubebuilder:validation:XValidation:rule="duration(self) == duration('0s') || duration(self) >= duration('1h') && duration(self) <= duration('8760h')",message="spec.storage.scrub.every must be 0s, or from 1h to 8760h"
	Every *metav1.Duration `json:"every,omitempty"`

	// bytesPerSecond is the most that is read; a cache too large for it takes longer than a round. Default: 16Mi. At
	// least 1Mi.
	// +optional
	// +kubebuilder:default="16Mi"
	// +kubebuilder:validation:XValidation:rule="quantity(string(self)).compareTo(quantity('1Mi')) >= 0",message="spec.storage.scrub.bytesPerSecond must be at least 1Mi"
	BytesPerSecond *resource.Quantity `json:"bytesPerSecond,omitempty"`
}
