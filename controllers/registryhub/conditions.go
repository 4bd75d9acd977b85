package registryhub

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/internal/conditions"
)

// storageReady says whether the cache has a place to be.
func storageReady(s *scope) metav1.Condition {
	no := func(reason, message string) metav1.Condition {
		return conditions.False(v1alpha1.ConditionStorageReady, reason, message)
	}
	claim := s.claim
	switch {
	case s.hub.Spec.Storage.Type == v1alpha1.StorageEphemeral:
		return volumeTaking(s, v1alpha1.ReasonEphemeral, "the cache lives in the proxy's Pod")
	case s.hub.Spec.Storage.Type == v1alpha1.StorageS3:
		return bucketReady(s)
	case claim == nil:
		return no(v1alpha1.ReasonVolumePending, "the volume claim is not made yet")
	case !claim.DeletionTimestamp.IsZero():
		return no(v1alpha1.ReasonVolumePending, fmt.Sprintf("volume claim %s is being deleted, and is made anew when no Pod uses it any more", claim.Name))
	case claim.Status.Phase == corev1.ClaimBound:
		return volumeTaking(s, v1alpha1.ReasonVolumeBound, fmt.Sprintf("volume claim %s is bound", claim.Name))
	case claim.Status.Phase == corev1.ClaimLost:
		return no(v1alpha1.ReasonVolumeLost, fmt.Sprintf("volume claim %s has lost its volume: delete the claim, so that it is made anew", claim.Name))
	}
	return no(v1alpha1.ReasonVolumePending, fmt.Sprintf("volume claim %s is not bound yet", claim.Name))
}
