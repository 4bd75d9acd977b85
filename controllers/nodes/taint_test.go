package nodes_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/controllers/nodes"
)

func TestWhenATaintedNodeIsFreed(t *testing.T) {
	t.Parallel()
	zoneA := &metav1.LabelSelector{MatchLabels: map[string]string{"zone": "a"}}
	everywhere, inZoneA := configv1alpha1.NodeHub{Name: "a", Revision: 5}, configv1alpha1.NodeHub{Name: "b", Revision: 7, Selector: zoneA}
	const minute = time.Minute
	cases := map[string]struct {
		node       nodes.Node
		hubs       []configv1alpha1.NodeHub
		registered time.Duration
		want       nodes.Freedom
	}{
		"no hub":                           {node("1", 0), nil, -minute, nodes.Freedom{Wired: true, Remains: 4 * minute}},
		"it has not reported":              {node("1", 0), []configv1alpha1.NodeHub{everywhere}, -minute, nodes.Freedom{Remains: 4 * minute}},
		"it has reported too little":       {node("1", 4), []configv1alpha1.NodeHub{everywhere}, -minute, nodes.Freedom{Remains: 4 * minute}},
		"it has all of it":                 {node("1", 5), []configv1alpha1.NodeHub{everywhere}, -minute, nodes.Freedom{Wired: true, Remains: 4 * minute}},
		"a hub for other nodes":            {node("1", 5), []configv1alpha1.NodeHub{everywhere, inZoneA}, -minute, nodes.Freedom{Wired: true, Remains: 4 * minute}},
		"a hub for it and few":             {node("1", 5, labelled), []configv1alpha1.NodeHub{everywhere, inZoneA}, -minute, nodes.Freedom{Remains: 4 * minute}},
		"one hub fails":                    {node("1", 5, failing), []configv1alpha1.NodeHub{everywhere}, -minute, nodes.Freedom{Remains: 4 * minute}},
		"it has waited for as long as may": {node("1", 0), []configv1alpha1.NodeHub{everywhere}, -5 * minute, nodes.Freedom{Overdue: true}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := nodes.FreedomOf(tc.node, epoch.Add(tc.registered), &configv1alpha1.NodeConfiguration{Hubs: tc.hubs}, 5*minute, epoch)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
