package registryhub

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/internal/conditions"
	"github.com/registryhub/registryhub/controllers/nodes"
	"github.com/registryhub/registryhub/controllers/resources"
)

// ownedConditions are those that this reconciler sets and deletes; anybody else's stay.
var ownedConditions = []string{
	v1alpha1.ConditionReady, v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled,
	v1alpha1.ConditionSuspended, v1alpha1.ConditionStorageReady, v1alpha1.ConditionCertificateReady, v1alpha1.ConditionProxyAvailable,
	v1alpha1.ConditionNodesWired, v1alpha1.ConditionUpstreamReachable, v1alpha1.ConditionIdentitiesKnown,
}

// nextStatus is what the status should say, from what was observed and from nothing else.
func nextStatus(s *scope) v1alpha1.RegistryHubStatus {
	status := *s.hub.Status.DeepCopy()
	status.ObservedGeneration = s.hub.Generation
	if s.hub.DeletionTimestamp.IsZero() {
		if !s.hub.Spec.Suspend { // which leaves what these say of the spec for later
			status.Endpoint, status.FormerEndpoint = s.endpoint(), s.formerEndpoint()
			status.Access = v1alpha1.AccessStatus{Pull: resources.PullAccess(s.hub)}
			status.Upstreams = resources.Upstreams(s.hub)
		}
		if s.certificate.decided {
			status.Certificate = s.certificate.trust
		}
		status.Storage = storageStatus(s)
		showFigures(&status, figures(s, status.Upstreams))
		status.Prewarm = prewarmStatus(s)
		status.Nodes = nodesStatus(s)
	}
	status.Conditions = conditions.Merge(s.hub.Status.Conditions, s.hub.Generation, s.now, ownedConditions, wantedConditions(s, status.Upstreams)...)
	return status
}

func wantedConditions(s *scope, upstreams []v1alpha1.UpstreamStatus) []metav1.Condition {
	if !s.hub.DeletionTimestamp.IsZero() {
		return deleting(s.awaited)
	}
	gates := []metav1.Condition{storageReady(s), certificateReady(s), proxyAvailable(s), nodesWired(s)}
	told := slices.Concat(gates, upstreamReachable(upstreams), identitiesKnown(s))
	if s.hub.Spec.Suspend {
		return slices.Concat(suspendedSummary(s.hub.Spec.Mode, gates), told)
	}
	return slices.Concat(summary(s.hub.Spec.Mode, stalledBy(s, gates), gates), told)
}

// nodesStatus shows figures from when the nodes were first told of the hub. While they are told nothing of it any
// more, no node is wired.
func nodesStatus(s *scope) *v1alpha1.NodesStatus {
	entry := nodes.FindEntry(s.configuration, s.hub)
	if entry == nil {
		if s.hub.Status.Nodes == nil {
			return nil
		}
		entry = new(nodes.WantedEntry(s.hub, s.endpoint(), s.conflicts, s.refused))
	}
	figures := nodes.Count(s.snapshot, *entry, s.now, s.grace)
	return &v1alpha1.NodesStatus{
		Desired: int32(figures.Desired), //nolint:gosec // G115: a cluster has fewer nodes than that
		Wired:   int32(figures.Wired),   //nolint:gosec // G115: as above
		Summary: fmt.Sprintf("%d/%d", figures.Wired, figures.Desired),
		Failing: figures.Failing,
	}
}

func sameStatus(a, b v1alpha1.RegistryHubStatus) bool { return equality.Semantic.DeepEqual(a, b) }
