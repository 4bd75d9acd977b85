package registryhub

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/registryhub/registryhub/api/v1alpha1"
)

const (
	// askAfter is how long a claim is pending when its events are read: most have a volume by then.
	askAfter = 20 * time.Second
	// longPending is how long a driver may take before its absence is suspected.
	longPending = 5 * time.Minute
	// maxTheirs bounds what is shown of a driver's words, in bytes, so that all of a message fits into a condition.
	maxTheirs = 600
)

// Annotations of Kubernetes that are not constants in k8s.io/api.
const (
	annotationDefaultClass = "storageclass.kubernetes.io/is-default-class"
	annotationSelectedNode = "volume.kubernetes.io/selected-node"
)

// provisioningFailed is the reason of the events of drivers, and of Kubernetes itself, on a claim without a volume.
const provisioningFailed = "ProvisioningFailed"

// askWhyPending reads the events of a claim that waits for its volume longer than most. They are read live: a watch would
// have all events of the namespace in memory. Without them the hub's status says less, and is as true.
func (r *Reconciler) askWhyPending(ctx context.Context, s *scope) {
	if s.claim.Status.Phase == corev1.ClaimBound || s.claim.Status.Phase == corev1.ClaimLost {
		return
	}
	if age := s.now.Sub(s.claim.CreationTimestamp.Time); age < askAfter {
		s.requeueIn(askAfter - age)
		return
	}
	s.requeueIn(volumePeriod)
	list := &corev1.EventList{}
	err := r.Live.List(ctx, list, client.InNamespace(s.claim.Namespace),
		client.MatchingFields{"involvedObject.uid": string(s.claim.UID), "reason": provisioningFailed})
	if err != nil {
		log.FromContext(ctx).V(1).Info("could not read the events of a volume claim that is pending", "claim", s.claim.Name, "reason", err.Error())
		return
	}
	s.volume.failure = latest(list.Items)
}

// latest is the message of the event that was told last.
func latest(events []corev1.Event) string {
	if len(events) == 0 {
		return ""
	}
	last := slices.MaxFunc(events, func(a, b corev1.Event) int { return toldAt(a).Compare(toldAt(b)) })
	message := inOneLine(last.Message)
	return strings.ToValidUTF8(message[:min(len(message), maxTheirs)], "")
}

func toldAt(event corev1.Event) time.Time {
	at := event.LastTimestamp.Time
	if event.EventTime.After(at) {
		at = event.EventTime.Time
	}
	if event.Series != nil && event.Series.LastObservedTime.After(at) {
		at = event.Series.LastObservedTime.Time
	}
	return at
}

// pendingVolume says what a claim without a volume waits for.
func pendingVolume(s *scope) metav1.Condition {
	name := className(s.claim)
	class := s.volume.class(name)
	switch {
	case name == "" && !slices.ContainsFunc(s.volume.classes, isDefault):
		return noStorage(v1alpha1.ReasonNoDefaultStorageClass, fmt.Sprintf(
			"the hub names no StorageClass, and none is the default: annotate one %s=true, which volume claim %s then takes up, or make the hub anew with a storageClassName",
			annotationDefaultClass, s.claim.Name))
	case name == "":
		return noStorage(v1alpha1.ReasonVolumePending, fmt.Sprintf("volume claim %s has no StorageClass yet", s.claim.Name))
	case class == nil:
		return noStorage(v1alpha1.ReasonStorageClassNotFound, fmt.Sprintf(
			"StorageClass %q does not exist: make it, or make the hub anew with another storageClassName", name))
	case s.volume.failure != "":
		own := fmt.Sprintf("the driver %s of StorageClass %q could not make the volume, and tries again", class.Provisioner, name)
		return noStorage(v1alpha1.ReasonProvisioningFailed, s.steady(v1alpha1.ReasonProvisioningFailed, own, s.volume.failure))
	}
	return noStorage(v1alpha1.ReasonVolumePending, awaitedFor(s, class))
}

func isDefault(class storagev1.StorageClass) bool {
	return class.Annotations[annotationDefaultClass] == "true"
}

// awaitedFor says what a claim waits for about which nobody complains.
func awaitedFor(s *scope, class *storagev1.StorageClass) string {
	onPod := class.VolumeBindingMode != nil && *class.VolumeBindingMode == storagev1.VolumeBindingWaitForFirstConsumer
	switch {
	case onPod && s.claim.Annotations[annotationSelectedNode] == "" && s.deployment != nil && s.deployment.Status.AvailableReplicas > 0:
		return fmt.Sprintf("volume claim %s waits for a new Pod, since the one that runs has the volume of an earlier claim: %s", s.claim.Name, s.kubectlOnPods("delete"))
	case onPod && s.claim.Annotations[annotationSelectedNode] == "":
		return fmt.Sprintf("volume claim %s waits for the hub's Pod to be scheduled: %s says why it is not", s.claim.Name, s.kubectlOnPods("describe"))
	case s.now.Sub(s.claim.CreationTimestamp.Time) > longPending:
		return fmt.Sprintf("volume claim %s waits for more than %d minutes for the driver %s of StorageClass %q: is it installed, and does it run? kubectl -n %s describe pvc %s",
			s.claim.Name, int(longPending.Minutes()), class.Provisioner, class.Name, s.claim.Namespace, s.claim.Name)
	}
	return fmt.Sprintf("volume claim %s waits for the driver %s of StorageClass %q to make its volume", s.claim.Name, class.Provisioner, class.Name)
}
