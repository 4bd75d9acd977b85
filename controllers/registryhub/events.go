package registryhub

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"

	"github.com/registryhub/registryhub/api/v1alpha1"
)

// hubEvent is something worth telling once, when it comes about. Its reason is the condition's.
type hubEvent struct {
	kind   string
	reason string
	action string
	note   string
}

func (e hubEvent) record(recorder events.EventRecorder, hub *v1alpha1.RegistryHub) {
	recorder.Eventf(hub, nil, e.kind, e.reason, e.action, "%s", e.note)
}

func becameReady(c metav1.Condition) hubEvent {
	return hubEvent{kind: corev1.EventTypeNormal, reason: c.Reason, action: "Serve", note: c.Message}
}

func ceasedToBeReady(c metav1.Condition) hubEvent {
	return hubEvent{kind: corev1.EventTypeWarning, reason: c.Reason, action: "Wait", note: c.Message}
}

func stalled(c metav1.Condition) hubEvent {
	return hubEvent{kind: corev1.EventTypeWarning, reason: c.Reason, action: "Stop", note: c.Message}
}

func suspended(c metav1.Condition) hubEvent {
	return hubEvent{kind: corev1.EventTypeNormal, reason: c.Reason, action: "Suspend", note: c.Message}
}

func gateClosed(c metav1.Condition) hubEvent {
	return hubEvent{kind: corev1.EventTypeWarning, reason: c.Reason, action: "Wait", note: c.Message}
}

func withdrawing(c metav1.Condition) hubEvent {
	return hubEvent{kind: corev1.EventTypeNormal, reason: c.Reason, action: "Withdraw", note: c.Message}
}

func givenUp(awaited []string) hubEvent {
	return hubEvent{
		kind: corev1.EventTypeWarning, reason: v1alpha1.ReasonDeleting, action: "Withdraw",
		note: "removed without waiting any longer for: " + enumerate(awaited),
	}
}

func volumeGrows(from, to, why string) hubEvent {
	return hubEvent{
		kind: corev1.EventTypeNormal, reason: v1alpha1.ReasonVolumeGrowing, action: "Grow",
		note: "asked for a volume of " + to + " instead of " + from + ": " + why,
	}
}

// transitions are the events between two statuses: none when only messages or figures changed.
func transitions(before, after *v1alpha1.RegistryHub) []hubEvent {
	was := func(kind string) *metav1.Condition { return meta.FindStatusCondition(before.Status.Conditions, kind) }
	var told []hubEvent
	for _, is := range after.Status.Conditions {
		if earlier := was(is.Type); earlier == nil || earlier.Status != is.Status || earlier.Reason != is.Reason {
			told = append(told, transition(is, earlier)...)
		}
	}
	return told
}

// transition is what to tell of a condition that has changed. earlier is nil when it was not there.
func transition(is metav1.Condition, earlier *metav1.Condition) []hubEvent {
	switch is.Type {
	case v1alpha1.ConditionReady:
		return readiness(is, earlier)
	case v1alpha1.ConditionReconciling:
		return nil // the gates say why
	case v1alpha1.ConditionStalled:
		return []hubEvent{stalled(is)}
	case v1alpha1.ConditionUpstreamReachable:
		return comesAndGoes(is, earlier, "ServeFromCache")
	case v1alpha1.ConditionIdentitiesKnown:
		return comesAndGoes(is, earlier, "Refuse")
	case v1alpha1.ConditionSuspended:
		return []hubEvent{suspended(is)}
	}
	if worthAWarning[is.Reason] {
		return []hubEvent{gateClosed(is)}
	}
	return nil
}

func readiness(is metav1.Condition, earlier *metav1.Condition) []hubEvent {
	switch {
	case is.Reason == v1alpha1.ReasonDeleting:
		return []hubEvent{withdrawing(is)}
	case is.Status == metav1.ConditionTrue:
		return []hubEvent{becameReady(is)}
	case earlier != nil && earlier.Status == metav1.ConditionTrue:
		return []hubEvent{ceasedToBeReady(is)}
	}
	return nil
}

// comesAndGoes tells of trouble that gates nothing, with what is done meanwhile, and that it is over; that there is none at first
// is nothing.
func comesAndGoes(is metav1.Condition, earlier *metav1.Condition, meanwhile string) []hubEvent {
	switch {
	case is.Status == metav1.ConditionFalse:
		return []hubEvent{{kind: corev1.EventTypeWarning, reason: is.Reason, action: meanwhile, note: is.Message}}
	case earlier != nil:
		return []hubEvent{{kind: corev1.EventTypeNormal, reason: is.Reason, action: "Serve", note: is.Message}}
	}
	return nil
}

// worthAWarning are the reasons of gates that somebody should look into, and that do not stall the hub.
var worthAWarning = map[string]bool{
	v1alpha1.ReasonReferenceNotFound: true,
	v1alpha1.ReasonUnavailable:       true,
	v1alpha1.ReasonNodesFailing:      true,
	v1alpha1.ReasonVolumeNotWritable: true,
	v1alpha1.ReasonVolumeFull:        true,

	v1alpha1.ReasonVolumeCannotGrow:      true,
	v1alpha1.ReasonVolumeGrowthFailed:    true,
	v1alpha1.ReasonVolumeDeleting:        true,
	v1alpha1.ReasonStorageClassNotFound:  true,
	v1alpha1.ReasonNoDefaultStorageClass: true,
	v1alpha1.ReasonProvisioningFailed:    true,

	v1alpha1.ReasonCertManagerNotInstalled: true,
	v1alpha1.ReasonCertManagerForbidden:    true,
	v1alpha1.ReasonIssuerNotFound:          true,
	v1alpha1.ReasonIssuerNotReady:          true,
	v1alpha1.ReasonIssuanceFailed:          true,
	v1alpha1.ReasonIssuedUnfit:             true,
	v1alpha1.ReasonNotRenewed:              true,

	v1alpha1.ReasonBucketNotReachable: true,
	v1alpha1.ReasonBucketFull:         true,
}
