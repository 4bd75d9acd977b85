package registryhub

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/internal/apply"
	"github.com/registryhub/registryhub/controllers/resources"
)

// volumePeriod is how often a hub is looked at whose volume is waited for, or may not grow: what a driver says of it, and a
// quota, come without an event.
const volumePeriod = time.Minute

// volumeFacts are what a hub's claim does not say itself.
type volumeFacts struct {
	// classes are all StorageClasses of the cluster.
	classes []storagev1.StorageClass
	// failure is what the driver said last of a volume that it could not make; empty when it said nothing.
	failure string
	// wanted is the size that the claim should ask for, and bySelf is true when that is more than anybody asked for.
	wanted resource.Quantity
	bySelf bool
	// refusal is what the API server said when it was asked for that; empty when it did not refuse.
	refusal string
}

// observeVolume reads what decides about the hub's volume.
func (r *Reconciler) observeVolume(ctx context.Context, s *scope) error {
	if s.hub.Spec.Storage.PersistentVolumeClaim == nil {
		return nil
	}
	classes := &storagev1.StorageClassList{}
	if err := r.Client.List(ctx, classes, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("listing StorageClasses: %w", err)
	}
	s.volume.classes = classes.Items
	s.volume.wanted = larger(s.hub.Spec.Storage.PersistentVolumeClaim.Size, requested(s.claim))
	if next, grows := selfGrown(s); grows && next.Cmp(s.volume.wanted) > 0 {
		s.volume.wanted, s.volume.bySelf = next, true
	}
	return nil
}

// applyStorage applies the volume's claim. What of it cannot be had, a larger volume or another StorageClass, keeps
// nothing else of the spec back: the hub goes on with the volume that it has, and its status says so.
func (r *Reconciler) applyStorage(ctx context.Context, s *scope) error {
	if s.hub.Spec.Storage.PersistentVolumeClaim == nil {
		return nil
	}
	grown := false
	if live := s.claim; live != nil && mayGrow(s) {
		var err error
		if grown, err = r.grow(ctx, s, live); err != nil {
			return err
		}
	}
	if !grown {
		size := requested(s.claim)
		if s.claim == nil {
			size = s.volume.wanted
		}
		if err := r.applyClaim(ctx, s, s.claim, size); err != nil {
			return err
		}
	}
	r.askWhyPending(ctx, s)
	return nil
}

// grow asks for the wanted size, and says whether the API server takes that.
func (r *Reconciler) grow(ctx context.Context, s *scope, live *corev1.PersistentVolumeClaim) (bool, error) {
	why := "spec.storage.persistentVolumeClaim.size is larger"
	if s.volume.bySelf {
		why = "the hub has to evict for want of room"
		live = live.DeepCopy()
		metav1.SetMetaDataAnnotation(&live.ObjectMeta, v1alpha1.AnnotationGrownAt, s.now.UTC().Format(time.RFC3339))
	}
	err := r.applyClaim(ctx, s, live, s.volume.wanted)
	if refused, is := errors.AsType[*apply.RefusedError](err); is {
		s.volume.refusal = refused.Error()
		s.requeueIn(volumePeriod)
		return false, nil
	}
	if err != nil {
		return false, err
	}
	from, to := requested(live), s.volume.wanted
	volumeGrows(from.String(), to.String(), why).record(r.Events, s.hub)
	log.FromContext(ctx).Info("asked for a larger volume", "from", from.String(), "to", to.String(), "reason", why)
	return true, nil
}

func (r *Reconciler) applyClaim(ctx context.Context, s *scope, live *corev1.PersistentVolumeClaim, size resource.Quantity) error {
	applied, err := apply.PersistentVolumeClaim(ctx, r.Client, resources.PersistentVolumeClaim(s.hub, r.Settings, live, size))
	if err != nil {
		return err
	}
	s.claim = applied
	return nil
}

// requested is what a claim asks for; nothing without one.
func requested(claim *corev1.PersistentVolumeClaim) resource.Quantity {
	if claim == nil {
		return resource.Quantity{}
	}
	return claim.Spec.Resources.Requests[corev1.ResourceStorage]
}

func larger(a, b resource.Quantity) resource.Quantity {
	if a.Cmp(b) > 0 {
		return a
	}
	return b
}

// className is the StorageClass of a claim; empty for none.
func className(claim *corev1.PersistentVolumeClaim) string {
	if claim.Spec.StorageClassName == nil {
		return ""
	}
	return *claim.Spec.StorageClassName
}

// class is a StorageClass of the cluster; nil when there is none of that name.
func (f volumeFacts) class(name string) *storagev1.StorageClass {
	i := slices.IndexFunc(f.classes, func(c storagev1.StorageClass) bool { return c.Name == name })
	if i < 0 {
		return nil
	}
	return &f.classes[i]
}

// mismatch says in what a claim, which an earlier hub of the same name left, is not what the spec says and cannot become
// it; empty for a claim that is what it should be.
func mismatch(hub *v1alpha1.RegistryHub, claim *corev1.PersistentVolumeClaim) string {
	storage := hub.Spec.Storage.PersistentVolumeClaim
	var differences []string
	if storage.StorageClassName != nil && className(claim) != *storage.StorageClassName {
		differences = append(differences, fmt.Sprintf("the StorageClass %q and not %q", className(claim), *storage.StorageClassName))
	}
	if is, wanted := modes(claim.Spec.AccessModes), modes(storage.AccessModes); is != wanted {
		differences = append(differences, fmt.Sprintf("the access modes %s and not %s", is, wanted))
	}
	if len(differences) == 0 {
		return ""
	}
	return fmt.Sprintf("volume claim %s, which was there before the hub, has %s; the hub uses it as it is: delete the claim and the hub's Pod, "+
		"which are made anew with an empty cache, or make the hub anew with what the claim has", claim.Name, strings.Join(differences, ", and "))
}

func modes(list []corev1.PersistentVolumeAccessMode) string {
	sorted := slices.Sorted(slices.Values(list))
	return fmt.Sprint(sorted)
}
