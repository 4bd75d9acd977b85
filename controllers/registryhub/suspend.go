package registryhub

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/internal/conditions"
	"github.com/registryhub/registryhub/controllers/resources"
)

// recognize takes what a suspended hub's children have been given for what they should have: whether they serve is told of
// that, and not of a spec that is not acted upon.
func (r *Reconciler) recognize(ctx context.Context, s *scope) error {
	key := client.ObjectKey{Namespace: r.Settings.Namespace, Name: resources.ChildName(s.hub)}
	configMap, err := find(ctx, r.Client, key, &corev1.ConfigMap{})
	if err != nil || configMap == nil || s.deployment == nil {
		return err
	}
	s.configHash = resources.ConfigHash(configMap)
	s.restartHash = s.deployment.Spec.Template.Annotations[v1alpha1.AnnotationRestartHash]
	return nil
}

// suspendedSummary is Ready as it is seen to be, and that nothing is done about it: neither is the hub on its way, nor is
// anything wrong with it that it does not say.
func suspendedSummary(mode v1alpha1.HubMode, gates []metav1.Condition) []metav1.Condition {
	suspended := conditions.True(v1alpha1.ConditionSuspended, v1alpha1.ReasonSuspended,
		"spec.suspend is true: the hub stays as it is, and changes of its spec wait")
	_, awaited, passed := sift(mode, gates)
	if awaited == "" {
		message := conditions.Join("nodes pull through the hub, which is suspended", passed)
		return []metav1.Condition{conditions.True(v1alpha1.ConditionReady, v1alpha1.ReasonReady, message), suspended}
	}
	return []metav1.Condition{
		conditions.False(v1alpha1.ConditionReady, v1alpha1.ReasonSuspended, conditions.Join("the hub is suspended", awaited)), suspended,
	}
}
