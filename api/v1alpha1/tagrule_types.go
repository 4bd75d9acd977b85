package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TagPolicy says how long what a tag names is believed.
// +kubebuilder:validation:Enum=Always;TTL;Frozen
type TagPolicy string

// The policies of tags.
const (
	TagPolicyAlways TagPolicy = "Always"
	TagPolicyTTL    TagPolicy = "TTL"
	TagPolicyFrozen TagPolicy = "Frozen"
)

// TagRule gives tags a policy of their own.
// Example: {match: 'team/.*:main', policy: TTL, revalidateAfter: 30s}.
// +kubebuilder:validation:XValidation:rule="self.policy == 'TTL' || !has(self.revalidateAfter)",message="spec.mirror.tags.rules: revalidateAfter is for policy TTL alone; leave it out beside Always and Frozen"
type TagRule struct {
	// match is a regular expression (RE2) that must match the whole of "<repository>:<tag>", the repository as the
	// client wrote it, without the host: "library/debian:12" for docker.io/library/debian:12. At most 512
	// characters.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Match string `json:"match"`

	// policy of the tags that match. Always: the upstream is asked for every request; those who ask at once share
	// one question. TTL: it is asked again after revalidateAfter. Frozen: it is never asked again for a tag that is
	// known, unless the tag's manifest was evicted. In trouble of the upstream, staleIfError holds for all.
	// +required
	Policy TagPolicy `json:"policy"`

	// revalidateAfter of the tags that match, for policy TTL alone. Default: that of the tags as a whole.
	// From 0s to 8760h.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s') && duration(self) <= duration('8760h')",message="revalidateAfter of a rule in spec.mirror.tags.rules must be from 0s to 8760h"
	RevalidateAfter *metav1.Duration `json:"revalidateAfter,omitempty"`
}
