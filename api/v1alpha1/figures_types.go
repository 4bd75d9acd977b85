package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The figures of a status are those that the hub's proxies said last. They are written when they have moved enough to matter,
// and stay while no proxy runs.

// StorageStatus is what a hub's storage came to.
type StorageStatus struct {
	// capacity of the file system that the cache is on, as the proxy finds it; until it has said so, of the volume, as the
	// cluster granted it. Written again when it changed by 1 %.
	// +optional
	Capacity *resource.Quantity `json:"capacity,omitempty"`

	// requested is what the volume claim asks for: the spec's size, or more where it has grown by itself or by hand, or was made
	// for an earlier hub. capacity follows once the volume has grown.
	// +optional
	Requested *resource.Quantity `json:"requested,omitempty"`

	// retention is what becomes of the volume when the hub is deleted: what the spec says, or the default of the hub's mode.
	// +optional
	Retention VolumeRetention `json:"retention,omitempty"`

	// used is what of the capacity is taken, by whomever, to three digits. Written again when it moved by 5 % of the capacity.
	// Example: 80Gi.
	// +optional
	Used *resource.Quantity `json:"used,omitempty"`

	// objects is how many blobs and manifests are cached, to three digits. Written again when it moved by 10 %, and by 10
	// at least, or from or to 0.
	// +optional
	Objects *int64 `json:"objects,omitempty"`

	// lastEviction is when something was last evicted. Written at most once an hour.
	// +optional
	LastEviction *metav1.Time `json:"lastEviction,omitempty"`
}

// CacheStatus is how well a hub's cache serves.
type CacheStatus struct {
	// hitPercent is the share of lookups of manifests, blobs and lists that needed no transfer of their own, since the proxy's
	// Pods started, in percent. Absent until there were 20 lookups. Written again when it moved by 5.
	// +optional
	HitPercent *int32 `json:"hitPercent,omitempty"`
}

// UpstreamStatus is one registry that a hub asks.
type UpstreamStatus struct {
	// name of the upstream: as in the spec, or the host that it was derived from.
	// +required
	Name string `json:"name"`

	// url that is asked.
	// +required
	URL string `json:"url"`

	// reachable is false while the upstream answers neither requests nor probes of any proxy. Absent until it was asked for
	// something.
	// +optional
	Reachable *bool `json:"reachable,omitempty"`

	// rateLimit is what the upstream said last of its limit. Absent when it says nothing of one.
	// +optional
	RateLimit *RateLimitStatus `json:"rateLimit,omitempty"`
}

// RateLimitStatus is how many requests an upstream allows in its window of time (Docker Hub's ratelimit-limit and
// ratelimit-remaining).
type RateLimitStatus struct {
	// limit of requests. Written again when it changed.
	// +required
	Limit int64 `json:"limit"`

	// remaining requests; of several proxies, the least. Written again when it moved by 10 % of the limit, and when it fell
	// below 10 %.
	// +required
	Remaining int64 `json:"remaining"`
}
