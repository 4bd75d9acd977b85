package conditions

import (
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Check says which of the invariants that kstatus and people rely on a list breaks: Ready is always there; nothing
// abnormal-true stands beside Ready=True but that it is suspended; what is Stalled is not Reconciling, and what is suspended is
// neither; the abnormal-true ones are absent when they are not so; every condition speaks of the generation.
func Check(list []metav1.Condition, generation int64, ready, reconciling, stalled, suspended string) error {
	errs := []error{checkSummary(list, ready, reconciling, stalled, suspended)}
	for _, condition := range list {
		abnormal := condition.Type == reconciling || condition.Type == stalled || condition.Type == suspended
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

func checkSummary(list []metav1.Condition, ready, reconciling, stalled, suspended string) error {
	summary := meta.FindStatusCondition(list, ready)
	var explained []string
	for _, kind := range []string{reconciling, stalled, suspended} {
		if meta.IsStatusConditionTrue(list, kind) {
			explained = append(explained, kind)
		}
	}
	switch {
	case summary == nil:
		return fmt.Errorf("%s is missing", ready)
	case len(explained) > 1:
		return fmt.Errorf("%s are True at once", strings.Join(explained, " and "))
	case summary.Status == metav1.ConditionTrue && len(explained) == 1 && explained[0] != suspended:
		return fmt.Errorf("%s is True beside %s", ready, explained[0])
	case summary.Status != metav1.ConditionTrue && len(explained) == 0:
		return fmt.Errorf("%s is %s, and none of %s, %s and %s says why", ready, summary.Status, reconciling, stalled, suspended)
	}
	return nil
}
