package registryhub

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/internal/conditions"
)

// storageReady says whether the cache has a place to be.
func storageReady(s *scope) metav1.Condition {
	switch {
	case s.hub.Spec.Storage.Type == v1alpha1.StorageEphemeral:
		return volumeTaking(s, v1alpha1.ReasonEphemeral, "the cache lives in the proxy's Pod")
	case s.hub.Spec.Storage.Type == v1alpha1.StorageS3:
		return bucketReady(s)
	case s.claim == nil:
		return noStorage(v1alpha1.ReasonVolumePending, "the volume claim is not made yet")
	}
	switch phase := s.claim.Status.Phase; {
	case !s.claim.DeletionTimestamp.IsZero():
		return noStorage(v1alpha1.ReasonVolumeDeleting, fmt.Sprintf(
			"volume claim %s is being deleted, and goes when no Pod uses it any more: %s; it is made anew with an empty cache",
			s.claim.Name, s.kubectlOnPods("delete")))
	case phase == corev1.ClaimBound:
		return boundVolume(s)
	case phase == corev1.ClaimLost:
		return noStorage(v1alpha1.ReasonVolumeLost, fmt.Sprintf(
			"volume claim %s has lost its volume: kubectl -n %s delete pvc %s --wait=false, and %s; both are made anew, with an empty cache",
			s.claim.Name, s.claim.Namespace, s.claim.Name, s.kubectlOnPods("delete")))
	}
	return pendingVolume(s)
}

func noStorage(reason, message string) metav1.Condition {
	return conditions.False(v1alpha1.ConditionStorageReady, reason, message)
}

// boundVolume says whether a volume takes what is new, and is the one that the spec asks for: the gravest first.
func boundVolume(s *scope) metav1.Condition {
	growth := growthOf(s)
	taking := volumeTaking(s, v1alpha1.ReasonVolumeBound, fmt.Sprintf("volume claim %s is bound", s.claim.Name))
	differs := mismatch(s.hub, s.claim)
	switch {
	case differs != "":
		return noStorage(v1alpha1.ReasonVolumeMismatch, differs)
	case growth == nil:
		return taking
	case taking.Status != metav1.ConditionTrue:
		taking.Message = conditions.Join(taking.Message, growth.Message)
		return taking
	}
	return *growth
}

// kubectlOnPods is what to type to do something with the hub's Pods.
func (s *scope) kubectlOnPods(verb string) string {
	return fmt.Sprintf("kubectl -n %s %s pods -l %s=%s", s.claim.Namespace, verb, v1alpha1.LabelHub, s.hub.Name)
}

// steady is a message that ends in somebody else's words. Drivers put the numbers of requests in theirs: words that differ
// in these alone are no news, and the status stays as it is.
func (s *scope) steady(reason, own, theirs string) string {
	message := conditions.Join(own, theirs)
	before := s.before(v1alpha1.ConditionStorageReady, reason)
	if before != nil && before.ObservedGeneration == s.hub.Generation && withoutFigures(before.Message) == withoutFigures(message) {
		return before.Message
	}
	return message
}

// withoutFigures are the words of a text that have no digit in them.
func withoutFigures(text string) string {
	var words []string
	for word := range strings.FieldsSeq(text) {
		if !strings.ContainsAny(word, "0123456789") {
			words = append(words, word)
		}
	}
	return strings.Join(words, " ")
}

func storageStatus(s *scope) *v1alpha1.StorageStatus {
	if s.claim == nil {
		return nil
	}
	capacity, found := s.claim.Status.Capacity[corev1.ResourceStorage]
	if !found {
		return nil
	}
	status := &v1alpha1.StorageStatus{Capacity: &capacity, Retention: s.hub.Spec.VolumeRetention()}
	if requested, found := s.claim.Spec.Resources.Requests[corev1.ResourceStorage]; found {
		status.Requested = &requested
	}
	return status
}
