package e2e

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/registryhub/registryhub/api/v1alpha1"
)

// condition is a hub's condition of a type; the zero value when it has none.
func condition(hub *v1alpha1.RegistryHub, conditionType string) metav1.Condition {
	for _, condition := range hub.Status.Conditions {
		if condition.Type == conditionType {
			return condition
		}
	}
	return metav1.Condition{}
}

// reasonIs says whether a hub's condition of a type has a reason.
func (s *suite) reasonIs(hub, conditionType, reason string) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		seen, err := s.hub(ctx, hub)
		if err != nil {
			return false, err
		}
		return condition(seen, conditionType).Reason == reason, nil
	}
}
