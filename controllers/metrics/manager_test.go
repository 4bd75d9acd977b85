package metrics

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/registryhub/registryhub/api/v1alpha1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// cluster is a cache with these objects in it.
type cluster struct {
	client.Reader
	hubs    []v1alpha1.RegistryHub
	mirrors []v1alpha1.NodeMirror
	err     error
}

func (c cluster) List(_ context.Context, into client.ObjectList, _ ...client.ListOption) error {
	switch list := into.(type) {
	case *v1alpha1.RegistryHubList:
		list.Items = c.hubs
	case *v1alpha1.NodeMirrorList:
		list.Items = c.mirrors
	}
	return c.err
}

func hub(name string, nodes *v1alpha1.NodesStatus, conditions ...metav1.Condition) v1alpha1.RegistryHub {
	return v1alpha1.RegistryHub{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Status: v1alpha1.RegistryHubStatus{Nodes: nodes, Conditions: conditions},
	}
}

func mirror(hubsAndReasons ...string) v1alpha1.NodeMirror {
	var m v1alpha1.NodeMirror
	for i := 0; i < len(hubsAndReasons); i += 2 {
		m.Status.Exceptions = append(m.Status.Exceptions, v1alpha1.NodeException{Hub: hubsAndReasons[i], Reason: hubsAndReasons[i+1]})
	}
	return m
}

// Only what begins with a # is left out of what is compared.
func TestWhatIsToldOfHubs(t *testing.T) {
	t.Parallel()
	isReady := metav1.Condition{Type: "Ready", Status: metav1.ConditionTrue, Reason: "Ready"}
	for name, tc := range map[string]struct {
		cluster cluster
		want    string
	}{
		"without a hub the manager is there": {cluster{}, "registryhub_manager_leader 1"},
		"a cache that cannot be read tells nothing": {
			cluster{hubs: []v1alpha1.RegistryHub{hub("a", nil, isReady)}, err: errors.New("not started")}, "",
		},
		"conditions have their reason, and nodes their figures": {
			cluster{hubs: []v1alpha1.RegistryHub{
				hub("a", &v1alpha1.NodesStatus{Desired: 12, Wired: 11}, isReady,
					metav1.Condition{Type: "StorageReady", Status: metav1.ConditionFalse, Reason: "VolumeFull"},
					metav1.Condition{Type: "NodesWired", Status: metav1.ConditionUnknown, Reason: "Wiring"}),
				hub("b", nil),
			}},
			`
registryhub_hub_condition{hub="a",reason="Ready",type="Ready"} 1
registryhub_hub_condition{hub="a",reason="VolumeFull",type="StorageReady"} 0
registryhub_hub_condition{hub="a",reason="Wiring",type="NodesWired"} -1
registryhub_hub_nodes_desired{hub="a"} 12
registryhub_hub_nodes_wired{hub="a"} 11
registryhub_manager_leader 1`,
		},
		"somebody else's condition is left out": {
			cluster{hubs: []v1alpha1.RegistryHub{hub("a", nil, metav1.Condition{Type: "Theirs", Status: metav1.ConditionTrue, Reason: "Theirs"})}},
			"registryhub_manager_leader 1",
		},
		"exceptions of nodes are counted, and what a node makes up is not believed": {
			cluster{hubs: []v1alpha1.RegistryHub{hub("a", nil)}, mirrors: []v1alpha1.NodeMirror{
				mirror("a", "HubUnreachable", "a", "HubUnreachable", "gone", "HubUnreachable"), mirror("a", "HubUnreachable", "a", "x1", "a", "x2"),
			}},
			`
registryhub_hub_node_exceptions{hub="a",reason="HubUnreachable"} 3
registryhub_hub_node_exceptions{hub="a",reason="Other"} 2
registryhub_manager_leader 1`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := NewManager(tc.cluster, prometheus.NewRegistry())
			if err := testutil.CollectAndCompare(m.hubs, strings.NewReader(withTypes(tc.want))); err != nil {
				t.Error(err)
			}
		})
	}
}

// withTypes adds to series what testutil wants to read before them.
func withTypes(series string) string {
	help := map[string]string{
		"registryhub_hub_condition":       "Conditions of hubs by type and reason: 1 for True, 0 for False, -1 for Unknown.",
		"registryhub_hub_nodes_desired":   "Nodes that should pull through the hub, as in its status.",
		"registryhub_hub_nodes_wired":     "Nodes of those desired that do, as in its status.",
		"registryhub_hub_node_exceptions": "Hosts of the hub that nodes report not to have wired, by reason (those of a NodeMirror; Other). A host counts once for each node.",
		"registryhub_manager_leader":      "1 from the manager that works. One that stands by, or cannot read its cache, has no such series, and none of hubs.",
	}
	var text strings.Builder
	last := ""
	for line := range strings.Lines(strings.TrimSpace(series)) {
		if name := strings.FieldsFunc(line, func(r rune) bool { return r == '{' || r == ' ' })[0]; name != last {
			text.WriteString("# HELP " + name + " " + help[name] + "\n# TYPE " + name + " gauge\n")
			last = name
		}
		text.WriteString(strings.TrimSpace(line) + "\n")
	}
	return text.String()
}

func TestTheMetricsAreThereWhileTheManagerWorks(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	for range 2 { // one manager after another, as in a process that tests
		m := NewManager(cluster{}, registry)
		m.Expires(Authority, time.Unix(7, 0))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- m.Start(ctx) }()
		for gathered(t, registry) < len(m.Collectors()) {
			select {
			case err := <-ended:
				t.Fatalf("it ended: %v", err)
			case <-time.After(time.Millisecond):
			}
		}
		cancel()
		if err := <-ended; err != nil || gathered(t, registry) != 0 {
			t.Errorf("after its end: %v, and %d metrics", err, gathered(t, registry))
		}
	}
	if problems, err := testutil.GatherAndLint(everything(t)); err != nil || len(problems) > 0 {
		t.Errorf("the names are not as Prometheus has them: %v (%v)", problems, err)
	}
}

func everything(t *testing.T) *prometheus.Registry {
	t.Helper()
	registry := prometheus.NewRegistry()
	m := NewManager(cluster{}, registry)
	m.Expires(NodeClient, time.Unix(7, 0))
	registry.MustRegister(m.Collectors()...)
	return registry
}

func gathered(t *testing.T, registry *prometheus.Registry) int {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return len(families)
}
