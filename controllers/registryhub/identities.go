package registryhub

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/internal/conditions"
)

// identitiesKnown says whether the proxies can ask the API server whose a token is; nothing for a hub that lets nobody in by
// one, and until a proxy has said. It gates nothing: nodes show a certificate.
func identitiesKnown(s *scope) []metav1.Condition {
	if s.hub.Spec.Mode != v1alpha1.HubModeLocal || s.hub.Spec.Access.Kubernetes == nil {
		return nil
	}
	said := false
	for _, report := range s.reports {
		if report.Identities == nil {
			continue
		}
		said = true
		if problem := report.Identities.Problem; problem != "" {
			return []metav1.Condition{conditions.False(v1alpha1.ConditionIdentitiesKnown, v1alpha1.ReasonClusterNotAnswering,
				"who shows a token of the cluster is refused with 503; nodes and other users go on: "+inOneLine(problem))}
		}
	}
	if said {
		return []metav1.Condition{conditions.True(v1alpha1.ConditionIdentitiesKnown, v1alpha1.ReasonClusterAnswering,
			"the proxy can ask the API server whose a token is, and what its owner may do")}
	}
	if before := s.before(v1alpha1.ConditionIdentitiesKnown, v1alpha1.ReasonClusterAnswering, v1alpha1.ReasonClusterNotAnswering); before != nil {
		return []metav1.Condition{*before}
	}
	return nil
}
