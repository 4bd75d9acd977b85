package registryhub

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/internal/conditions"
)

// mayGrow says whether the claim that is there should ask for more. Of one that is not bound Kubernetes does not hear of it:
// that grows once it is.
func mayGrow(s *scope) bool {
	bound := s.claim.Status.Phase == corev1.ClaimBound && s.claim.DeletionTimestamp.IsZero()
	return bound && s.volume.wanted.Cmp(requested(s.claim)) > 0 && cannotGrow(s) == ""
}

// cannotGrow says why the claim's volume may not grow, and what to do; empty when it may. The API server decides by the
// StorageClass as it is now, whatever it was when the volume was made.
func cannotGrow(s *scope) string {
	name := className(s.claim)
	if name == "" {
		return "it has no StorageClass, and without one no volume can: give the hub's cache a volume of a class that allows it, by a hub that is made anew"
	}
	class := s.volume.class(name)
	switch {
	case class == nil:
		return fmt.Sprintf("its StorageClass %q does not exist any more: make it again, with allowVolumeExpansion: true", name)
	case class.AllowVolumeExpansion == nil || !*class.AllowVolumeExpansion:
		return fmt.Sprintf("its StorageClass %q does not allow it: set allowVolumeExpansion: true there if the driver %s can do that, "+
			"or make the hub anew with another class", name, class.Provisioner)
	}
	return ""
}

// growthOf says how it stands with a volume that is to be larger, or is larger than the spec says; nil when there is nothing
// to say.
func growthOf(s *scope) *metav1.Condition {
	asked, wanted := requested(s.claim), s.volume.wanted
	storage := s.hub.Spec.Storage.PersistentVolumeClaim
	has, known := s.claim.Status.Capacity[corev1.ResourceStorage]
	growing := known && asked.Cmp(has) > 0
	failure, failed := resizeFailure(s.claim)
	switch {
	case s.volume.refusal != "":
		own := fmt.Sprintf("the volume keeps %s, and %s are refused", asked.String(), wanted.String())
		return growth(metav1.ConditionFalse, v1alpha1.ReasonVolumeGrowthFailed, s.steady(v1alpha1.ReasonVolumeGrowthFailed, own, s.volume.refusal))
	case growing && failed:
		own := fmt.Sprintf("the volume keeps %s, and does not grow to %s: it is tried again", has.String(), asked.String())
		return growth(metav1.ConditionFalse, v1alpha1.ReasonVolumeGrowthFailed, s.steady(v1alpha1.ReasonVolumeGrowthFailed, own, inOneLine(failure)))
	case wanted.Cmp(asked) > 0 || storage.MaxSize != nil && storage.MaxSize.Cmp(asked) > 0:
		if obstacle := cannotGrow(s); obstacle != "" {
			return growth(metav1.ConditionFalse, v1alpha1.ReasonVolumeCannotGrow,
				fmt.Sprintf("the volume keeps %s, and cannot grow to %s: %s", asked.String(), aim(s), obstacle))
		}
	}
	if growing {
		return growth(metav1.ConditionTrue, v1alpha1.ReasonVolumeGrowing, fmt.Sprintf("the volume grows from %s to %s%s", has.String(), asked.String(), stage(s.claim)))
	}
	return grown(s.claim.Name, asked, storage)
}

// grown says that a volume is larger than the spec says; nil when it is not.
func grown(claim string, asked resource.Quantity, storage *v1alpha1.PersistentVolumeClaimStorage) *metav1.Condition {
	switch {
	case asked.Cmp(storage.Size) <= 0:
		return nil
	case storage.MaxSize != nil && asked.Cmp(*storage.MaxSize) <= 0:
		return growth(metav1.ConditionTrue, v1alpha1.ReasonVolumeBound, fmt.Sprintf(
			"volume claim %s is bound; it has grown to %s, of at most %s", claim, asked.String(), storage.MaxSize.String()))
	}
	return growth(metav1.ConditionTrue, v1alpha1.ReasonVolumeBound, fmt.Sprintf(
		"volume claim %s is bound; it asks for %s, more than the spec's %s: volumes do not shrink", claim, asked.String(), storage.Size.String()))
}

func growth(value metav1.ConditionStatus, reason, message string) *metav1.Condition {
	return &metav1.Condition{Type: v1alpha1.ConditionStorageReady, Status: value, Reason: reason, Message: message}
}

// aim is how large the volume should be, or may become.
func aim(s *scope) string {
	size := s.volume.wanted
	if maximum := s.hub.Spec.Storage.PersistentVolumeClaim.MaxSize; maximum != nil && size.Cmp(requested(s.claim)) <= 0 {
		size = *maximum
	}
	return size.String()
}

// resizeFailure says whether a driver or a node failed to make a claim's volume larger, and with what words.
func resizeFailure(claim *corev1.PersistentVolumeClaim) (message string, failed bool) {
	for _, condition := range claim.Status.Conditions {
		about := condition.Type == corev1.PersistentVolumeClaimControllerResizeError || condition.Type == corev1.PersistentVolumeClaimNodeResizeError
		if about && condition.Status == corev1.ConditionTrue {
			message, failed = conditions.Join(message, condition.Message), true
		}
	}
	state := claim.Status.AllocatedResourceStatuses[corev1.ResourceStorage]
	infeasible := state == corev1.PersistentVolumeClaimControllerResizeInfeasible || state == corev1.PersistentVolumeClaimNodeResizeInfeasible
	return message, failed || infeasible
}

// stage says what a volume that grows waits for, where that is known.
func stage(claim *corev1.PersistentVolumeClaim) string {
	for _, condition := range claim.Status.Conditions {
		if condition.Type == corev1.PersistentVolumeClaimFileSystemResizePending && condition.Status == corev1.ConditionTrue {
			return ": the node of the hub's Pod has yet to make the file system larger, which some drivers do only for a Pod that starts"
		}
	}
	return ""
}
