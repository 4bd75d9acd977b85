package registryhub

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/internal/conditions"
	"github.com/registryhub/registryhub/controllers/nodes"
)

// summary is Ready, and Reconciling or Stalled where they are so: kstatus reads these three.
func summary(mode v1alpha1.HubMode, stalled *problem, gates []metav1.Condition) []metav1.Condition {
	if stalled != nil {
		return []metav1.Condition{
			conditions.False(v1alpha1.ConditionReady, stalled.reason, stalled.message),
			conditions.True(v1alpha1.ConditionStalled, stalled.reason, stalled.message),
		}
	}
	reason, awaited, passed := sift(mode, gates)
	if awaited == "" {
		return []metav1.Condition{conditions.True(v1alpha1.ConditionReady, v1alpha1.ReasonReady, conditions.Join("nodes pull through the hub", passed))}
	}
	return []metav1.Condition{
		conditions.False(v1alpha1.ConditionReady, reason, awaited),
		conditions.True(v1alpha1.ConditionReconciling, v1alpha1.ReasonProgressing, awaited),
	}
}

// sift says what is awaited of gates, with the reason that Ready has for it, and what is told of those that are passed.
func sift(mode v1alpha1.HubMode, gates []metav1.Condition) (reason, awaited, passed string) {
	reason = v1alpha1.ReasonProgressing
	for _, gate := range gates {
		switch {
		case gate.Status == metav1.ConditionTrue:
			continue
		case passes(mode, gate.Reason):
			passed = conditions.Join(passed, gate.Message)
			continue
		}
		awaited = conditions.Join(awaited, gate.Message)
		if saysWhatToDo[gate.Reason] {
			reason = gate.Reason
		}
	}
	return reason, awaited, passed
}

// passes says whether a hub is Ready though a gate is not True for that reason. Without its bucket a mirror streams through, and a
// registry has nothing to show.
func passes(mode v1alpha1.HubMode, reason string) bool {
	if mode == v1alpha1.HubModeLocal && reason == v1alpha1.ReasonBucketNotReachable {
		return false
	}
	return passedAllTheSame[reason]
}

// passedAllTheSame are the reasons of gates that are not True and yet do not gate Ready: nodes pull through the hub.
var passedAllTheSame = map[string]bool{
	v1alpha1.ReasonVolumeNotWritable: true,
	v1alpha1.ReasonVolumeFull:        true,

	v1alpha1.ReasonVolumeCannotGrow:   true,
	v1alpha1.ReasonVolumeGrowthFailed: true,
	v1alpha1.ReasonVolumeDeleting:     true,

	v1alpha1.ReasonBucketNotReachable: true,
	v1alpha1.ReasonBucketFull:         true,

	v1alpha1.ReasonNotRenewed: true,
}

// saysWhatToDo are the reasons of gates that Ready shows as its own: somebody has to make what the hub waits for.
var saysWhatToDo = map[string]bool{
	v1alpha1.ReasonReferenceNotFound:     true,
	v1alpha1.ReasonStorageClassNotFound:  true,
	v1alpha1.ReasonNoDefaultStorageClass: true,
	v1alpha1.ReasonProvisioningFailed:    true,

	v1alpha1.ReasonBucketNotReachable: true,

	v1alpha1.ReasonCertManagerNotInstalled: true,
	v1alpha1.ReasonCertManagerForbidden:    true,
	v1alpha1.ReasonIssuerNotFound:          true,
	v1alpha1.ReasonIssuerNotReady:          true,
	v1alpha1.ReasonIssuanceFailed:          true,
	v1alpha1.ReasonIssuedUnfit:             true,
}

// needsAPerson are the reasons of gates that do not open by themselves.
var needsAPerson = map[string]bool{
	v1alpha1.ReasonVolumeLost:           true,
	v1alpha1.ReasonVolumeMismatch:       true,
	v1alpha1.ReasonRollOutFailed:        true,
	v1alpha1.ReasonConfigurationRefused: true,
}

// stalledBy is what only a person can change, the gravest first; nil for nothing.
func stalledBy(s *scope, gates []metav1.Condition) *problem {
	if s.problem != nil {
		return s.problem
	}
	if len(s.conflicts) > 0 {
		return &problem{reason: v1alpha1.ReasonHostConflict, message: describe(s.conflicts)}
	}
	if refused := fallbackRefused(s); refused != nil {
		return refused
	}
	for _, gate := range gates {
		if needsAPerson[gate.Reason] {
			return &problem{reason: gate.Reason, message: gate.Message}
		}
	}
	return nil
}

func describe(conflicts []nodes.Conflict) string {
	lines := make([]string, 0, len(conflicts))
	for _, conflict := range conflicts {
		lines = append(lines, fmt.Sprintf("the older hub %s has %s on nodes that both select", conflict.Older, conflict.Host))
	}
	return conditions.Join(slices.Compact(lines)...)
}

// deleting is the status of a hub that goes.
func deleting(awaited []string) []metav1.Condition {
	message := "the hub is being removed"
	if len(awaited) > 0 {
		message = "the hub is being withdrawn; still led to it: " + enumerate(awaited)
	}
	return []metav1.Condition{
		conditions.False(v1alpha1.ConditionReady, v1alpha1.ReasonDeleting, message),
		conditions.True(v1alpha1.ConditionReconciling, v1alpha1.ReasonDeleting, message),
	}
}

// enumerate names the first few.
func enumerate(names []string) string {
	const few = 10
	if len(names) <= few {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
}
