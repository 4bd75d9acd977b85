package nodes_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/nodes"
)

func suspended(h *v1alpha1.RegistryHub) { h.Spec.Suspend = true }

func claiming(hosts ...v1alpha1.RegistryHost) func(*v1alpha1.RegistryHub) {
	return func(h *v1alpha1.RegistryHub) { h.Spec.Hosts = hosts }
}

func TestWhatNodesAreToldOfASuspendedHub(t *testing.T) {
	t.Parallel()
	a := with(hub("a", 2, "a.example", "b.example"), suspended)
	told := configuration(2, entry("a", 2, "a.example", "b.example"))
	none := entry("a", 2, "a.example")
	none.Fallback = configv1alpha1.NodeFallbackNone
	cases := map[string]struct {
		present *configv1alpha1.NodeConfiguration
		hubs    []v1alpha1.RegistryHub
		needs   []nodes.Need
		want    *configv1alpha1.NodeConfiguration
	}{
		"what they were told":                       {told, []v1alpha1.RegistryHub{a}, nil, told},
		"not that its hosts have changed":           {told, []v1alpha1.RegistryHub{with(a, claiming("c.example"))}, nil, told},
		"not that it selects no node any more":      {told, []v1alpha1.RegistryHub{with(a, selecting("a", "not a value!"))}, nil, told},
		"not that it has moved, nor that it is off": {told, []v1alpha1.RegistryHub{with(with(a, moved), down)}, nil, told},
		"nothing, where they were told nothing":     {configuration(2), []v1alpha1.RegistryHub{a}, nil, configuration(2)},
		"not what an older hub has now": {
			told, []v1alpha1.RegistryHub{a, hub("older", 1, "b.example")}, nil,
			configuration(3, entry("older", 3, "b.example"), entry("a", 3, "a.example")),
		},
		"what it has, and a newer hub has not": {
			told, []v1alpha1.RegistryHub{with(a, claiming("c.example")), hub("newer", 3, "b.example", "c.example")}, nil,
			configuration(3, entry("a", 2, "a.example", "b.example"), entry("newer", 3, "c.example")),
		},
		"that it goes": {told, []v1alpha1.RegistryHub{with(a, going)}, nil, configuration(3)},
		"that they may pull past it to what a hub needs": {
			configuration(2, none), []v1alpha1.RegistryHub{a}, []nodes.Need{{Host: "a.example"}}, configuration(3, entry("a", 3, "a.example")),
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			next := func(present *configv1alpha1.NodeConfiguration) *configv1alpha1.NodeConfiguration {
				hubs := nodes.InForce(tc.hubs, present)
				return nodes.NextConfiguration(present, present.Revision, hubs, nodes.Conflicts(hubs, nil), tc.needs, 0, "")
			}
			got := next(tc.present)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("next (-want +got):\n%s", diff)
			}
			if again := next(got); again != got {
				t.Errorf("it is not at rest: %+v became %+v", got, again)
			}
		})
	}
}

func TestHubsInForceAreCopies(t *testing.T) {
	t.Parallel()
	hubs := []v1alpha1.RegistryHub{with(hub("a", 1, "a.example"), suspended)}
	nodes.InForce(hubs, nil)
	if diff := cmp.Diff([]v1alpha1.RegistryHost{"a.example"}, hubs[0].Spec.Hosts); diff != "" {
		t.Errorf("what was given has changed (-want +got):\n%s", diff)
	}
}
