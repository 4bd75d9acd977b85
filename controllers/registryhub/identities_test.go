package registryhub

import (
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/proxies"
)

// identifying is what a Pod says of its questions to the cluster.
func identifying(problem string) func(*proxies.Report) {
	return func(r *proxies.Report) { r.Identities = &configv1alpha1.IdentitiesReport{Problem: problem} }
}

// ofIdentities has tokens of the cluster let into a registry.
func ofIdentities(s *scope) *scope {
	s = ofRegistry(s)
	s.hub.Spec.Access.Kubernetes = &v1alpha1.KubernetesAccess{}
	return s
}

func TestWhetherIdentitiesAreKnown(t *testing.T) {
	t.Parallel()
	const known = "True/ClusterAnswering the proxy can ask the API server whose a token is, and what its owner may do"
	const unknown = "False/ClusterNotAnswering who shows a token of the cluster is refused with 503; nodes and other users go on: "
	before := is("IdentitiesKnown", "False", "ClusterNotAnswering", "as it was")
	for name, tc := range map[string]struct {
		scope *scope
		want  string
	}{
		"all is well":               {ofIdentities(reported(says("wanted", identifying("")))), known},
		"one Pod of two cannot ask": {ofIdentities(reported(says("wanted", identifying("")), says("wanted", identifying("away\nfor long")))), unknown + "away; for long"},
		"not asked yet":             {ofIdentities(reported(says("wanted"))), ""},
		"not asked since the configuration is new": {ofIdentities(healthy(func(s *scope) {
			s.reports, s.hub.Status.Conditions = []proxies.Report{says("wanted")}, append(s.hub.Status.Conditions, before)
		})), "False/ClusterNotAnswering as it was"},
		"a registry with other users": {ofRegistry(reported(says("wanted", identifying("away")))), ""},
		"a mirror":                    {reported(says("wanted", identifying("away"))), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			list, got := nextStatus(tc.scope).Conditions, ""
			if c := meta.FindStatusCondition(list, v1alpha1.ConditionIdentitiesKnown); c != nil {
				got = string(c.Status) + "/" + c.Reason + " " + c.Message
			}
			if got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
			if !meta.IsStatusConditionTrue(list, v1alpha1.ConditionReady) {
				t.Error("the hub is not Ready")
			}
		})
	}
}
