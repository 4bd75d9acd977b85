package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// MaxReportedUpstreams is the most upstreams of which a proxy tells figures, so that its report stays small. A hub has no more: 8
// that it names, or one for each of its 16 hosts.
const MaxReportedUpstreams = 16

// ProxyFigures are what a proxy knows of itself and that moves all the time.
type ProxyFigures struct {
	// Store is how full the store is.
	Store StoreFigures `json:"store,omitzero"`

	// Lookups are how the cache answered since the process began.
	Lookups LookupFigures `json:"lookups,omitzero"`

	// Upstreams that the configuration names, sorted by name; at most MaxReportedUpstreams. What "*" stands for is not among
	// them.
	Upstreams []UpstreamFigures `json:"upstreams,omitempty"`
}

// StoreFigures are how full a store is, and what it gave up.
type StoreFigures struct {
	// CapacityBytes is what the place of the store has for it, and UsedBytes what is taken of that, by whomever. 0: not
	// known.
	CapacityBytes int64 `json:"capacityBytes,omitempty"`
	UsedBytes     int64 `json:"usedBytes,omitempty"`

	// Objects is how many blobs and manifests the store holds, as counted last. Absent until they have been counted.
	Objects *int64 `json:"objects,omitempty"`

	// LastEviction is when something was last evicted. Absent when nothing was since the process began.
	LastEviction *metav1.Time `json:"lastEviction,omitempty"`
}

// LookupFigures count lookups of manifests, blobs and lists.
type LookupFigures struct {
	// Answered are those that needed no transfer of their own: from the store, or from a transfer that was under way.
	Answered int64 `json:"answered,omitempty"`

	// Missed are those that an upstream was asked for. What was answered with 404 is in neither.
	Missed int64 `json:"missed,omitempty"`
}

// UpstreamFigures are what a proxy found of one upstream.
type UpstreamFigures struct {
	// Name of the upstream, as configured.
	Name string `json:"name"`

	// Reachable is false while the upstream answers neither requests nor probes. Absent until it was asked for something.
	Reachable *bool `json:"reachable,omitempty"`

	// RateLimit is what the upstream said last of how many requests it allows. Absent when it said nothing.
	RateLimit *RateLimitFigures `json:"rateLimit,omitempty"`
}

// RateLimitFigures are how many requests an upstream allows in its window of time, and how many of them are left.
type RateLimitFigures struct {
	Limit     int64 `json:"limit"`
	Remaining int64 `json:"remaining"`
}
