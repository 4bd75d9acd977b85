package registryhub

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/internal/apply"
	"github.com/registryhub/registryhub/controllers/internal/conditions"
	"github.com/registryhub/registryhub/controllers/nodes"
	"github.com/registryhub/registryhub/controllers/proxies"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// healthy is a hub on a volume, with everything as it should be, on two nodes.
func healthy(changes ...func(*scope)) *scope {
	s := &scope{
		hub: &v1alpha1.RegistryHub{
			ObjectMeta: metav1.ObjectMeta{Name: "a", UID: "uid", Generation: 3},
			Spec: v1alpha1.RegistryHubSpec{
				Hosts:  []v1alpha1.RegistryHost{"a.example"},
				Mirror: &v1alpha1.MirrorSpec{},
				Storage: v1alpha1.StorageSpec{
					Type: v1alpha1.StoragePersistentVolumeClaim, PersistentVolumeClaim: &v1alpha1.PersistentVolumeClaimStorage{},
				},
			},
		},
		now:        now,
		grace:      time.Minute,
		claim:      &corev1.PersistentVolumeClaim{Status: corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimBound}},
		service:    &corev1.Service{Spec: corev1.ServiceSpec{ClusterIP: "10.0.0.1"}},
		deployment: &appsv1.Deployment{},
		configHash: "wanted", restartHash: "started",
		reports:  []proxies.Report{{AskedFor: "wanted", ProxyReport: configv1alpha1.ProxyReport{InForce: "wanted"}}},
		snapshot: nodes.Snapshot{Nodes: []nodes.Node{wired("n1"), wired("n2")}, AgentsSince: now.Add(-time.Hour)},
		configuration: &configv1alpha1.NodeConfiguration{Revision: 7, Hubs: []configv1alpha1.NodeHub{{
			Name: "a", UID: "uid", Revision: 5, Hosts: []string{"a.example"}, Endpoint: "http://10.0.0.1:5000",
		}}},
	}
	s.deployment.Spec.Template.Annotations = map[string]string{v1alpha1.AnnotationRestartHash: "started"}
	s.deployment.Status = appsv1.DeploymentStatus{Replicas: 1, UpdatedReplicas: 1, AvailableReplicas: 1}
	progressIs("NewReplicaSetAvailable")(s)
	for _, change := range changes {
		change(s)
	}
	return s
}

func wired(name string) nodes.Node {
	return nodes.Node{Name: name, Ready: true, ReadySince: now.Add(-time.Hour), AgentSince: now.Add(-time.Hour), Revision: 7}
}

func progressIs(reason string) func(*scope) {
	return func(s *scope) {
		s.deployment.Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentProgressing, Reason: reason}}
	}
}

func replicas(updated, available int32) func(*scope) {
	return func(s *scope) {
		s.deployment.Status.UpdatedReplicas, s.deployment.Status.AvailableReplicas = updated, available
	}
}

func claimPhase(phase corev1.PersistentVolumeClaimPhase) func(*scope) {
	return func(s *scope) { s.claim.Status.Phase = phase }
}

func firstNode(change func(*nodes.Node)) func(*scope) {
	return func(s *scope) { change(&s.snapshot.Nodes[0]) }
}

func everyNode(change func(*nodes.Node)) func(*scope) {
	return func(s *scope) {
		for i := range s.snapshot.Nodes {
			change(&s.snapshot.Nodes[i])
		}
	}
}

func behind(n *nodes.Node)    { n.Revision = 4 }
func justCame(n *nodes.Node)  { n.ReadySince, n.Revision = now, 0 }
func agentless(n *nodes.Node) { n.AgentSince = time.Time{} }
func notReady(n *nodes.Node)  { n.Ready = false }
func failed(n *nodes.Node) {
	n.Exceptions = []v1alpha1.NodeException{{Hub: "a", Reason: v1alpha1.NodeReasonWriteFailed}}
}

func wiredBefore(s *scope) {
	s.hub.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionNodesWired, Status: metav1.ConditionTrue}}
}

func suspend(s *scope) { s.hub.Spec.Suspend = true }

func deleted(s *scope) { s.hub.DeletionTimestamp = new(metav1.NewTime(now)) }

func contested(s *scope) { s.conflicts = []nodes.Conflict{{Host: "a.example", Older: "older"}} }

func noFallback(s *scope) { s.hub.Spec.Nodes.Fallback = v1alpha1.NodeFallbackNone }

func staying(s *scope) { s.configuration.Hubs[0].Fallback = configv1alpha1.NodeFallbackNone }

func refusedBy(host string) func(*scope) {
	return func(s *scope) {
		s.refused = []nodes.Need{{Host: host, Workload: "DaemonSet kube-system/kube-proxy", Image: host + "/kube-proxy:v1"}}
	}
}

func sandboxFrom(n *nodes.Node) {
	n.Exceptions = []v1alpha1.NodeException{{Hub: "a", Host: "a.example", Reason: v1alpha1.NodeReasonFallbackRefused, Message: "its sandbox"}}
}

func TestARefusalNamesWhatItIsFor(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		scope *scope
		want  []string
	}{
		"by the manager": {healthy(noFallback, refusedBy("a.example")), []string{"a.example/kube-proxy:v1 of DaemonSet kube-system/kube-proxy", "pulls go past the hub"}},
		"by a node":      {healthy(noFallback, staying, firstNode(sandboxFrom)), []string{"node n1: its sandbox"}},
	} {
		for _, want := range tc.want {
			if refused := fallbackRefused(tc.scope); refused == nil || !strings.Contains(refused.message, want) {
				t.Errorf("%s: no %q in %+v", name, want, refused)
			}
		}
	}
}

func TestConditions(t *testing.T) {
	t.Parallel()
	const good = "StorageReady=True/VolumeBound CertificateReady=True/PlainHTTP ProxyAvailable=True/Available NodesWired=True/NodesWired"
	waiting := func(gates string) string { return "Ready=False/Progressing Reconciling=True/Progressing " + gates }
	cases := map[string]struct {
		scope *scope
		want  string
	}{
		"all is well":     {healthy(), "Ready=True/Ready " + good},
		"ephemeral":       {healthy(func(s *scope) { s.hub.Spec.Storage.Type, s.claim = v1alpha1.StorageEphemeral, nil }), "Ready=True/Ready " + strings.Replace(good, "VolumeBound", "Ephemeral", 1)},
		"no claim yet":    {healthy(func(s *scope) { s.claim = nil }), waiting(strings.Replace(good, "True/VolumeBound", "False/VolumePending", 1))},
		"a pending claim": {healthy(claimPhase(corev1.ClaimPending), defaultClass), waiting(strings.Replace(good, "True/VolumeBound", "False/VolumePending", 1))},
		"a claim that is going": {
			healthy(func(s *scope) { s.claim.DeletionTimestamp = new(metav1.NewTime(now)) }),
			"Ready=True/Ready " + strings.Replace(good, "True/VolumeBound", "False/VolumeDeleting", 1),
		},
		"a lost volume": {
			healthy(claimPhase(corev1.ClaimLost)),
			"Ready=False/VolumeLost Stalled=True/VolumeLost " + strings.Replace(good, "True/VolumeBound", "False/VolumeLost", 1),
		},
		"no Deployment yet":              {healthy(func(s *scope) { s.deployment = nil }), waiting(strings.Replace(good, "True/Available", "False/RollingOut", 1))},
		"a Pod that starts":              {healthy(replicas(1, 0), progressIs("ReplicaSetUpdated")), waiting(strings.Replace(good, "True/Available", "False/RollingOut", 1))},
		"a Pod that is replaced":         {healthy(replicas(0, 0)), waiting(strings.Replace(good, "True/Available", "False/RollingOut", 1))},
		"another start":                  {healthy(func(s *scope) { s.restartHash = "other" }), waiting(strings.Replace(good, "True/Available", "False/RollingOut", 1))},
		"a Deployment not seen yet":      {healthy(func(s *scope) { s.deployment.Generation = 9 }), waiting(strings.Replace(good, "True/Available", "False/RollingOut", 1))},
		"two Pods at once":               {healthy(func(s *scope) { s.deployment.Status.Replicas = 2 }, progressIs("ReplicaSetUpdated")), waiting(strings.Replace(good, "True/Available", "False/RollingOut", 1))},
		"a Pod that was available":       {healthy(replicas(1, 0)), waiting(strings.Replace(good, "True/Available", "False/Unavailable", 1))},
		"a roll-out that failed":         {healthy(replicas(1, 0), progressIs("ProgressDeadlineExceeded")), "Ready=False/RollOutFailed Stalled=True/RollOutFailed " + strings.Replace(good, "True/Available", "False/RollOutFailed", 1)},
		"an earlier one that failed":     {healthy(replicas(1, 0), progressIs("ProgressDeadlineExceeded"), func(s *scope) { s.restartHash = "other" }), waiting(strings.Replace(good, "True/Available", "False/RollingOut", 1))},
		"a missing reference":            {healthy(func(s *scope) { s.missing = []string{"a Secret"} }), "Ready=False/ReferenceNotFound Reconciling=True/Progressing " + strings.Replace(good, "True/Available", "False/ReferenceNotFound", 1)},
		"a spec that cannot be rendered": {healthy(func(s *scope) { s.configHash, s.problem = "", &problem{v1alpha1.ReasonInvalidSpec, "x"} }), "Ready=False/InvalidSpec Stalled=True/InvalidSpec " + strings.Replace(good, "True/Available", "False/InvalidSpec", 1)},
		"not written to the nodes yet":   {healthy(func(s *scope) { s.configuration.Hubs = nil }), waiting(strings.Replace(good, "True/NodesWired", "False/AwaitingProxy", 1))},
		"no configuration":               {healthy(func(s *scope) { s.configuration = nil }), waiting(strings.Replace(good, "True/NodesWired", "False/AwaitingProxy", 1))},
		"the nodes are told otherwise":   {healthy(func(s *scope) { s.configuration.Hubs[0].Hosts = []string{"b.example"} }), waiting(strings.Replace(good, "True/NodesWired", "False/Wiring", 1))},
		"a node behind":                  {healthy(firstNode(behind)), waiting(strings.Replace(good, "True/NodesWired", "False/Wiring", 1))},
		"a failing node":                 {healthy(firstNode(failed)), waiting(strings.Replace(good, "True/NodesWired", "False/NodesFailing", 1))},
		"a node that just came":          {healthy(firstNode(justCame)), waiting(strings.Replace(good, "True/NodesWired", "False/Wiring", 1))},
		"one that came to a wired hub":   {healthy(firstNode(justCame), wiredBefore), "Ready=True/Ready " + good},
		"only nodes that just came":      {healthy(everyNode(justCame), wiredBefore), waiting(strings.Replace(good, "True/NodesWired", "False/Wiring", 1))},
		"a node without an agent":        {healthy(firstNode(agentless)), "Ready=True/Ready " + good},
		"no node has an agent":           {healthy(everyNode(agentless)), waiting(strings.Replace(good, "True/NodesWired", "False/Wiring", 1))},
		"no node is Ready":               {healthy(everyNode(notReady)), "Ready=True/Ready " + strings.Replace(good, "True/NodesWired", "True/NoNodes", 1)},
		"an older hub has the host":      {healthy(contested), "Ready=False/HostConflict Stalled=True/HostConflict " + strings.Replace(good, "True/NodesWired", "False/HostConflict", 1)},
		"its fallback is refused":        {healthy(noFallback, refusedBy("a.example")), "Ready=False/FallbackRefused Stalled=True/FallbackRefused " + good},
		"its fallback is refused on a node": {
			healthy(noFallback, staying, firstNode(sandboxFrom)),
			"Ready=False/FallbackRefused Stalled=True/FallbackRefused " + strings.Replace(good, "True/NodesWired", "False/NodesFailing", 1),
		},
		"it was refused on a node, which has not heard": {healthy(firstNode(sandboxFrom)), waiting(strings.Replace(good, "True/NodesWired", "False/NodesFailing", 1))},
		"no fallback": {healthy(noFallback, staying), "Ready=True/Ready " + good},
		"no fallback, and the nodes are not told": {healthy(noFallback), waiting(strings.Replace(good, "True/NodesWired", "False/Wiring", 1))},
		"suspended":                {healthy(suspend), "Ready=True/Ready Suspended=True/Suspended " + good},
		"suspended, and contested": {healthy(suspend, contested), "Ready=True/Ready Suspended=True/Suspended " + good},
		"suspended, and the spec has changed": {
			healthy(suspend, func(s *scope) { s.hub.Spec.Hosts = []v1alpha1.RegistryHost{"b.example"} }), "Ready=True/Ready Suspended=True/Suspended " + good,
		},
		"suspended, and its Pod is gone": {
			healthy(suspend, replicas(1, 0)), "Ready=False/Suspended Suspended=True/Suspended " + strings.Replace(good, "True/Available", "False/Unavailable", 1),
		},
		"suspended, and its volume is lost": {
			healthy(suspend, claimPhase(corev1.ClaimLost)), "Ready=False/Suspended Suspended=True/Suspended " + strings.Replace(good, "True/VolumeBound", "False/VolumeLost", 1),
		},
		"suspended, and a node fails": {
			healthy(suspend, firstNode(failed)), "Ready=False/Suspended Suspended=True/Suspended " + strings.Replace(good, "True/NodesWired", "False/NodesFailing", 1),
		},
		"suspended from the beginning": {
			healthy(suspend, func(s *scope) {
				s.claim, s.service, s.deployment, s.configHash, s.configuration.Hubs = nil, nil, nil, "", nil
			}),
			"Ready=False/Suspended Suspended=True/Suspended StorageReady=False/VolumePending CertificateReady=True/PlainHTTP ProxyAvailable=False/Suspended NodesWired=False/Suspended",
		},
		"suspended, and deleted": {healthy(suspend, deleted), "Ready=False/Deleting Reconciling=True/Deleting"},
		"deleted":                {healthy(deleted), "Ready=False/Deleting Reconciling=True/Deleting"},
		"deleted, and contested": {healthy(deleted, contested, func(s *scope) { s.awaited = []string{"node n1"} }), "Ready=False/Deleting Reconciling=True/Deleting"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status := nextStatus(tc.scope)
			if diff := cmp.Diff(tc.want, shown(status.Conditions)); diff != "" {
				t.Errorf("conditions (-want +got):\n%s", diff)
			}
			err := conditions.Check(status.Conditions, 3, v1alpha1.ConditionReady, v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled, v1alpha1.ConditionSuspended)
			if err != nil {
				t.Error(err)
			}
			tc.scope.hub.Status = status
			tc.scope.now = now.Add(time.Second)
			if again := nextStatus(tc.scope); tc.scope.hub.DeletionTimestamp == nil && !sameStatus(status, again) && name != "a node that just came" {
				t.Errorf("a moment later it is another status (-was +is):\n%s", cmp.Diff(status, again))
			}
		})
	}
}

// shown is a list of conditions in one line, in the order of their importance.
func shown(list []metav1.Condition) string {
	var words []string
	for _, kind := range ownedConditions {
		for _, condition := range list {
			if condition.Type == kind {
				words = append(words, fmt.Sprintf("%s=%s/%s", kind, condition.Status, condition.Reason))
			}
		}
	}
	return strings.Join(words, " ")
}

func TestAnObservedStatusIsNotRewritten(t *testing.T) {
	t.Parallel()
	s := healthy()
	s.hub.Status = nextStatus(s)
	s.now = now.Add(24 * time.Hour)
	if again := nextStatus(s); !sameStatus(s.hub.Status, again) {
		t.Errorf("a day later, with nothing changed (-was +is):\n%s", cmp.Diff(s.hub.Status, again))
	}
}

func TestTheGraceOfANodeIsLookedAtWhenItEnds(t *testing.T) {
	t.Parallel()
	s := healthy(firstNode(justCame))
	nextStatus(s)
	if got := s.requeue().RequeueAfter; got != time.Minute {
		t.Errorf("it looks again in %s, want 1m", got)
	}
}

func TestStall(t *testing.T) {
	t.Parallel()
	transient := errors.New("the API server is away")
	cases := map[string]struct {
		err      error
		reason   string
		terminal bool
	}{
		"transient": {transient, "", false},
		"invalid":   {&invalidSpecError{transient}, v1alpha1.ReasonInvalidSpec, true},
		"refused":   {fmt.Errorf("wrapped: %w", &apply.RefusedError{Err: transient}), v1alpha1.ReasonRefused, false},
		"malformed": {&apply.RefusedError{Err: transient, Invalid: true}, v1alpha1.ReasonInvalidSpec, true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &scope{}
			err := s.stall(tc.err)
			if got := errors.Is(err, reconcile.TerminalError(nil)); got != tc.terminal {
				t.Errorf("terminal: %v, want %v", got, tc.terminal)
			}
			if reason := reasonOf(s.problem); reason != tc.reason {
				t.Errorf("reason %q, want %q", reason, tc.reason)
			}
		})
	}
}

func reasonOf(p *problem) string {
	if p == nil {
		return ""
	}
	return p.reason
}

func TestWhatASuspendedHubSaysOfItsSpecWaits(t *testing.T) {
	t.Parallel()
	s := healthy()
	s.hub.Status = nextStatus(s)
	s.hub.Spec.Hosts, s.hub.Spec.Suspend = []v1alpha1.RegistryHost{"b.example"}, true
	s.service.Spec.ClusterIP = "10.0.0.2"
	before := s.hub.Status
	after := nextStatus(s)
	before.Conditions, after.Conditions = nil, nil
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
