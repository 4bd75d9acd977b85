package conditions

import (
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Check says which of the invariants that kstatus and people rely on a list breaks: Ready is always there; nothing
// abnormal-true stands beside Ready=True; what is Stalled is not Reconciling; the abnormal-true ones are absent
// when they are not so; every condition speaks of the generation.
func Check(list []metav1.Condition, generation int64, ready, reconciling, stalled string) error {
	errs := []error{checkSummary(list, ready, reconciling, stalled)}
	for _, condition := range list {
		abnormal := condition.Type == reconciling || condition.Type == stalled
		if abnormal && condition.Status != metav1.ConditionTrue {
			errs = append(errs, fmt.Errorf("%s is %s: it must be absent when it is not True", condition.Type, condition.Status))
		}
		if condition.ObservedGeneration != generation {
			errs = append(errs, fmt.Errorf("%s speaks of generation %d, not %d", condition.Type, condition.ObservedGeneration, generation))
		}
		if condition.Reason == "" || condition.Message == "" || len(condition.Message) > maxMessage {
			errs = append(errs, fmt.Errorf("%s lacks a reason or a message of at most %d bytes", condition.Type, maxMessage))
		}
	}
	return errors.Join(errs...)
}

func checkSummary(list []metav1.Condition, ready, reconciling, stalled string) error {
	summary := meta.FindStatusCondition(list, ready)
	isReconciling, isStalled := meta.IsStatusConditionTrue(list, reconciling), meta.IsStatusConditionTrue(list, stalled)
	switch {
	case summary == nil:
		return fmt.Errorf("%s is missing", ready)
	case summary.Status == metav1.ConditionTrue && (isReconciling || isStalled):
		return fmt.Errorf("%s is True beside %s or %s", ready, reconciling, stalled)
	case isReconciling && isStalled:
		return fmt.Errorf("%s and %s are both True", reconciling, stalled)
	case summary.Status != metav1.ConditionTrue && !isReconciling && !isStalled:
		return fmt.Errorf("%s is %s, and neither %s nor %s says why", ready, summary.Status, reconciling, stalled)
	}
	return nil
}
