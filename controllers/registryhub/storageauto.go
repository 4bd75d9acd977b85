package registryhub

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/proxies"
)

const (
	// growthPause is how long a volume that grew by itself is left as it is. Drivers allow it more seldom (that of AWS
	// once in six hours), and say so themselves.
	growthPause = 10 * time.Minute
	// growthShare is the part of its size by which a volume grows by itself, rounded up to whole units, of which drivers
	// make volumes.
	growthShare = 5
	unit        = 1 << 30
	// foreignShare is by which part of its size a volume's file system may be larger than the volume. One that is larger
	// by more is not of the volume alone (a directory of a server, of a node): a larger claim would bring nothing.
	foreignShare = 4
	// stillFull is the part of its low watermark that a store holds at least which has lately evicted for want of room, and
	// not for want of interest.
	stillFull = 0.9
)

// selfGrown is the size that a hub's volume should grow to by itself; false when it should stay as it is.
func selfGrown(s *scope) (resource.Quantity, bool) {
	storage := s.hub.Spec.Storage.PersistentVolumeClaim
	if storage.MaxSize == nil || s.claim == nil || !growthDone(s.claim) {
		return resource.Quantity{}, false
	}
	next, allowed := nextSize(requested(s.claim), *storage.MaxSize)
	if !allowed {
		return resource.Quantity{}, false
	}
	s.requeueIn(volumePeriod) // figures that move by little come without an event
	last := grownAt(s.claim)
	if s.now.Before(last.Add(growthPause)) {
		return resource.Quantity{}, false
	}
	lacking := slices.ContainsFunc(s.reports, func(report proxies.Report) bool {
		return report.Figures != nil && isItsOwn(report.Figures.Store, s.claim) &&
			lacksRoom(report.Figures.Store, s.hub.Spec.Storage.Eviction, s.now, last)
	})
	return next, lacking
}

// growthDone says whether the volume is as large as its claim asks for.
func growthDone(claim *corev1.PersistentVolumeClaim) bool {
	has, known := claim.Status.Capacity[corev1.ResourceStorage]
	return known && has.Cmp(requested(claim)) >= 0
}

// grownAt is when the operator last had the volume grow by itself; the zero time for never, and for an annotation that
// somebody made unreadable.
func grownAt(claim *corev1.PersistentVolumeClaim) time.Time {
	at, err := time.Parse(time.RFC3339, claim.Annotations[v1alpha1.AnnotationGrownAt])
	if err != nil {
		return time.Time{}
	}
	return at
}

// isItsOwn says whether the store's file system is the volume's, and no larger one that others share.
func isItsOwn(store configv1alpha1.StoreFigures, claim *corev1.PersistentVolumeClaim) bool {
	has := claim.Status.Capacity[corev1.ResourceStorage]
	return store.CapacityBytes > 0 && store.CapacityBytes <= has.Value()+has.Value()/foreignShare
}

// lacksRoom says whether a store is over its high watermark, or was so lately: it has evicted since the volume grew last, and
// is still about as full as an eviction for want of room leaves it.
func lacksRoom(store configv1alpha1.StoreFigures, eviction v1alpha1.EvictionSpec, now, grown time.Time) bool {
	high, low := watermark(eviction.HighWatermarkPercent, 90), watermark(eviction.LowWatermarkPercent, 80)
	used, capacity := float64(store.UsedBytes)*100, float64(store.CapacityBytes)
	if used >= high*capacity {
		return true
	}
	lately := store.LastEviction != nil && store.LastEviction.After(now.Add(-growthPause)) && store.LastEviction.After(grown)
	return lately && used >= low*capacity*stillFull
}

// watermark is one of the spec, or the default of a hub that is older than it.
func watermark(percent *int32, otherwise float64) float64 {
	if percent == nil {
		return otherwise
	}
	return float64(*percent)
}

// nextSize is what a volume of a size should grow to by itself; false when it may not.
func nextSize(current, maximum resource.Quantity) (resource.Quantity, bool) {
	if current.Cmp(maximum) >= 0 {
		return resource.Quantity{}, false
	}
	step := max(current.Value()/growthShare, unit)
	next := resource.NewQuantity((current.Value()+step+unit-1)/unit*unit, resource.BinarySI)
	if next.Cmp(maximum) > 0 {
		return maximum, true
	}
	return *next, true
}
