package registryhub

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/internal/conditions"
)

// upstreamReachable says whether the upstreams answer, of which any was asked for something; nothing until then. It gates
// nothing: nodes pull through the hub all the same.
func upstreamReachable(upstreams []v1alpha1.UpstreamStatus) []metav1.Condition {
	var down []string
	asked := false
	for _, upstream := range upstreams {
		if upstream.Reachable == nil {
			continue
		}
		asked = true
		if !*upstream.Reachable {
			down = append(down, upstream.Name)
		}
	}
	switch {
	case len(down) > 0:
		return []metav1.Condition{conditions.False(v1alpha1.ConditionUpstreamReachable, v1alpha1.ReasonUpstreamsDown,
			"what is cached is served; no answer from: "+enumerate(down))}
	case asked:
		return []metav1.Condition{conditions.True(v1alpha1.ConditionUpstreamReachable, v1alpha1.ReasonUpstreamsReachable,
			"every upstream that was asked answers")}
	}
	return nil
}

func limitOf(status *v1alpha1.RateLimitStatus) *configv1alpha1.RateLimitFigures {
	if status == nil {
		return nil
	}
	return &configv1alpha1.RateLimitFigures{Limit: status.Limit, Remaining: status.Remaining}
}

func limitStatus(said *configv1alpha1.RateLimitFigures) *v1alpha1.RateLimitStatus {
	if said == nil {
		return nil
	}
	return &v1alpha1.RateLimitStatus{Limit: said.Limit, Remaining: said.Remaining}
}
