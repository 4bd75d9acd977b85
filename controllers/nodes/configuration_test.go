package nodes_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/internal/pki"
	"github.com/registryhub/registryhub/controllers/nodes"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// hub makes a hub that was created some minutes after the epoch, and whose proxy serves.
func hub(name string, minutes int, hosts ...v1alpha1.RegistryHost) v1alpha1.RegistryHub {
	h := v1alpha1.RegistryHub{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, UID: types.UID("uid-" + name), Generation: 1,
			CreationTimestamp: metav1.NewTime(epoch.Add(time.Duration(minutes) * time.Minute)),
		},
		Spec: v1alpha1.RegistryHubSpec{Hosts: hosts},
		Status: v1alpha1.RegistryHubStatus{
			Endpoint:   "http://10.0.0.1:5000",
			Conditions: []metav1.Condition{{Type: v1alpha1.ConditionProxyAvailable, Status: metav1.ConditionTrue, ObservedGeneration: 1}},
		},
	}
	return h
}

func with(h v1alpha1.RegistryHub, change func(*v1alpha1.RegistryHub)) v1alpha1.RegistryHub {
	change(&h)
	return h
}

func down(h *v1alpha1.RegistryHub) { h.Status.Conditions = nil }

func going(h *v1alpha1.RegistryHub) { h.DeletionTimestamp = new(metav1.NewTime(epoch)) }

func moved(h *v1alpha1.RegistryHub) { h.Status.Endpoint = "http://10.0.0.2:5000" }

func selecting(labels ...string) func(*v1alpha1.RegistryHub) {
	return func(h *v1alpha1.RegistryHub) {
		h.Spec.Nodes.Selector = &metav1.LabelSelector{MatchLabels: pairs(labels...)}
	}
}

func pairs(list ...string) map[string]string {
	m := map[string]string{}
	for i := 0; i < len(list); i += 2 {
		m[list[i]] = list[i+1]
	}
	return m
}

func entry(name string, revision int64, hosts ...string) configv1alpha1.NodeHub {
	return configv1alpha1.NodeHub{Name: name, UID: "uid-" + name, Revision: revision, Hosts: hosts, Endpoint: "http://10.0.0.1:5000"}
}

func configuration(revision int64, entries ...configv1alpha1.NodeHub) *configv1alpha1.NodeConfiguration {
	return &configv1alpha1.NodeConfiguration{Revision: revision, Hubs: entries}
}

func trusting(bundle string, c *configv1alpha1.NodeConfiguration) *configv1alpha1.NodeConfiguration {
	c.CABundle = bundle
	return c
}

func forNodes(h *v1alpha1.RegistryHub) { h.Spec.Access.Pull = v1alpha1.PullNodes }

// bundle is some certificate authority.
func bundle(t *testing.T) string {
	t.Helper()
	made, err := pki.Authorities{}.After(pki.Create, pki.Settings{Lifetime: time.Hour}, epoch)
	if err != nil {
		t.Fatal(err)
	}
	return string(made.Bundle())
}

// secured is a configuration whose only hub has an https endpoint, and a bundle of its own.
func secured(c *configv1alpha1.NodeConfiguration, bundle string, revision int64) *configv1alpha1.NodeConfiguration {
	c.Hubs[0].Endpoint, c.Hubs[0].CABundle, c.Hubs[0].CABundleRevision = "https://10.0.0.1:5000", bundle, revision
	return c
}

// issuedBy is a hub whose certificate an issuer with this bundle signs.
func issuedBy(h v1alpha1.RegistryHub, bundle string) v1alpha1.RegistryHub {
	h.Status.Endpoint, h.Status.Certificate = "https://10.0.0.1:5000", &v1alpha1.CertificateStatus{CABundle: bundle}
	return h
}

func TestNextConfiguration(t *testing.T) {
	t.Parallel()
	a, b := hub("a", 1, "a.example"), hub("b", 2, "b.example")
	one, two := bundle(t), bundle(t)
	cases := map[string]struct {
		present  *configv1alpha1.NodeConfiguration
		reported int64
		hubs     []v1alpha1.RegistryHub
		want     *configv1alpha1.NodeConfiguration
	}{
		"a new cluster": {nil, 0, nil, configuration(1)},
		"the first hub": {configuration(1), 1, []v1alpha1.RegistryHub{a}, configuration(2, entry("a", 2, "a.example"))},
		"a second hub leaves the first as it is": {
			configuration(2, entry("a", 2, "a.example")), 2, []v1alpha1.RegistryHub{b, a},
			configuration(3, entry("a", 2, "a.example"), entry("b", 3, "b.example")),
		},
		"a hub that comes to have a bundle of its own leads nodes as before": {
			secured(configuration(2, entry("a", 2, "a.example")), "", 0), 2, []v1alpha1.RegistryHub{issuedBy(a, one)},
			secured(configuration(3, entry("a", 2, "a.example")), one, 3),
		},
		"its bundle stays while the rest changes": {
			secured(configuration(3, entry("a", 2, "b.example")), one, 3), 3, []v1alpha1.RegistryHub{issuedBy(a, one)},
			secured(configuration(4, entry("a", 4, "a.example")), one, 3),
		},
		"its bundle goes": {
			secured(configuration(3, entry("a", 2, "a.example")), one, 3), 3, []v1alpha1.RegistryHub{issuedBy(a, "")},
			secured(configuration(4, entry("a", 2, "a.example")), "", 4),
		},
		"its bundle changes while its proxy does not serve, and while it is suspended": {
			secured(configuration(3, entry("a", 2, "a.example")), one, 3), 3, []v1alpha1.RegistryHub{with(with(issuedBy(a, two), down), suspended)},
			secured(configuration(4, entry("a", 2, "a.example")), two, 4),
		},
		"its bundle changes while its proxy does not serve": {
			secured(configuration(3, entry("a", 2, "a.example")), one, 3), 3, []v1alpha1.RegistryHub{with(issuedBy(a, two), down)},
			secured(configuration(4, entry("a", 2, "a.example")), two, 4),
		},
		"its bundle is damaged": {
			secured(configuration(3, entry("a", 2, "a.example")), one, 3), 3, []v1alpha1.RegistryHub{issuedBy(a, "rubbish")},
			secured(configuration(4, entry("a", 2, "a.example")), "", 4),
		},
		"nodes report more than they were told, and its bundle": {
			secured(configuration(3, entry("a", 2, "a.example")), one, 3), 7, []v1alpha1.RegistryHub{issuedBy(a, one)},
			secured(configuration(8, entry("a", 8, "a.example")), one, 8),
		},
		"nothing new": {
			configuration(3, entry("a", 2, "a.example")), 2, []v1alpha1.RegistryHub{a}, configuration(3, entry("a", 2, "a.example")),
		},
		"a hub whose proxy has not served yet": {configuration(1), 1, []v1alpha1.RegistryHub{with(a, down)}, configuration(1)},
		"a hub whose proxy is down for a moment": {
			configuration(2, entry("a", 2, "a.example")), 2, []v1alpha1.RegistryHub{with(a, down)}, configuration(2, entry("a", 2, "a.example")),
		},
		"a hub that is down and has moved": {configuration(2, entry("a", 2, "a.example")), 2, []v1alpha1.RegistryHub{with(with(a, down), moved)}, configuration(3)},
		"a hub that serves elsewhere": {
			configuration(2, entry("a", 2, "a.example")), 2, []v1alpha1.RegistryHub{with(a, moved)},
			configuration(3, configv1alpha1.NodeHub{Name: "a", UID: "uid-a", Revision: 3, Hosts: []string{"a.example"}, Endpoint: "http://10.0.0.2:5000"}),
		},
		"a host that the proxy does not serve yet": {
			configuration(2, entry("a", 2, "a.example")), 2,
			[]v1alpha1.RegistryHub{with(a, func(h *v1alpha1.RegistryHub) {
				h.Generation, h.Spec.Hosts = 2, []v1alpha1.RegistryHost{"a.example", "c.example"}
			})},
			configuration(2, entry("a", 2, "a.example")),
		},
		"a host that goes, at once": {
			configuration(2, entry("a", 2, "a.example", "c.example")), 2,
			[]v1alpha1.RegistryHub{with(a, func(h *v1alpha1.RegistryHub) { h.Generation = 2 })},
			configuration(3, entry("a", 3, "a.example")),
		},
		"hosts in another order": {
			configuration(2, entry("a", 2, "a.example", "c.example")), 2,
			[]v1alpha1.RegistryHub{with(a, func(h *v1alpha1.RegistryHub) { h.Spec.Hosts = []v1alpha1.RegistryHost{"c.example", "a.example"} })},
			configuration(2, entry("a", 2, "a.example", "c.example")),
		},
		"a hub that is deleted": {
			configuration(3, entry("a", 2, "a.example"), entry("b", 3, "b.example")), 3, []v1alpha1.RegistryHub{with(a, going), b},
			configuration(4, entry("b", 3, "b.example")),
		},
		"another hub of the same name": {
			configuration(2, configv1alpha1.NodeHub{Name: "a", UID: "earlier", Revision: 2, Hosts: []string{"a.example"}, Endpoint: "http://10.0.0.1:5000"}),
			2, []v1alpha1.RegistryHub{with(a, down)}, configuration(3),
		},
		"a contested host": {
			configuration(2, entry("a", 2, "a.example")), 2, []v1alpha1.RegistryHub{a, with(b, func(h *v1alpha1.RegistryHub) { h.Spec.Hosts = a.Spec.Hosts })},
			configuration(2, entry("a", 2, "a.example")),
		},
		"a contested host that falls to the newer hub": {
			configuration(2, entry("a", 2, "a.example")), 2,
			[]v1alpha1.RegistryHub{with(a, going), with(b, func(h *v1alpha1.RegistryHub) { h.Spec.Hosts = a.Spec.Hosts })},
			configuration(3, entry("b", 3, "a.example")),
		},
		"a selector that cannot be read": {configuration(1), 1, []v1alpha1.RegistryHub{with(a, selecting("a", "not a value!"))}, configuration(1)},
		"a configuration that was lost":  {nil, 41, []v1alpha1.RegistryHub{a}, configuration(42, entry("a", 42, "a.example"))},
		"a revision that was set back": {
			configuration(3, entry("a", 2, "a.example")), 41, []v1alpha1.RegistryHub{a}, configuration(42, entry("a", 42, "a.example")),
		},
		"an entry ahead of its configuration": {
			configuration(3, entry("a", 99, "a.example")), 3, []v1alpha1.RegistryHub{a}, configuration(4, entry("a", 4, "a.example")),
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := nodes.NextConfiguration(tc.present, tc.reported, tc.hubs, nodes.Conflicts(tc.hubs, nil), nil, 0, "")
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("next (-want +got):\n%s", diff)
			}
			if again := nodes.NextConfiguration(got, max(tc.reported, got.Revision), tc.hubs, nodes.Conflicts(tc.hubs, nil), nil, 0, ""); again != got {
				t.Errorf("it is not at rest: %+v became %+v", got, again)
			}
		})
	}
}

func TestTheConfigurationCarriesTheBundle(t *testing.T) {
	t.Parallel()
	hubs := []v1alpha1.RegistryHub{hub("a", 1, "a.example")}
	old := trusting("old", configuration(2, entry("a", 2, "a.example")))
	for bundle, want := range map[string]*configv1alpha1.NodeConfiguration{
		"new": trusting("new", configuration(3, entry("a", 2, "a.example"))),
		"old": old,
		"":    old,
	} {
		if diff := cmp.Diff(want, nodes.NextConfiguration(old, 2, hubs, nil, nil, 0, bundle)); diff != "" {
			t.Errorf("bundle %q (-want +got):\n%s", bundle, diff)
		}
	}
}

func TestAHubForNodesAloneAsksForTheirCertificate(t *testing.T) {
	t.Parallel()
	secured := func(h *v1alpha1.RegistryHub) { h.Status.Endpoint = "https://10.0.0.1:5000" }
	hubs := []v1alpha1.RegistryHub{with(with(hub("a", 1, "a.example"), forNodes), secured)}
	before := entry("a", 2, "a.example")
	before.Endpoint = "https://10.0.0.1:5000"
	next := nodes.NextConfiguration(configuration(2, before), 2, hubs, nil, nil, 0, "")
	if got := next.Hubs[0]; !got.ClientCertificate || got.Revision != 3 {
		t.Errorf("%+v, want a client certificate from revision 3 on", got)
	}
}

func TestAHubThatMovesIsNotTakenFromTheNodes(t *testing.T) {
	t.Parallel()
	const http, https = "http://10.0.0.1:5000", "https://10.0.0.1:5000"
	at := func(endpoint string, certificate bool) configv1alpha1.NodeHub {
		e := entry("a", 2, "a.example")
		e.Endpoint, e.ClientCertificate = endpoint, certificate
		return e
	}
	for name, tc := range map[string]struct {
		present      configv1alpha1.NodeHub
		led, former  string
		pull         v1alpha1.PullAccess
		serves       bool
		wantEndpoint string
		wantCert     bool
		wantRevision int64
	}{
		"to TLS, which is not served yet":         {at(http, false), http, "", v1alpha1.PullNodes, false, http, false, 2},
		"to TLS, which is served":                 {at(http, false), https, http, v1alpha1.PullNodes, true, https, true, 3},
		"to TLS, and down before they know":       {at(http, false), https, http, v1alpha1.PullNodes, false, http, false, 2},
		"from TLS, which is all there is yet":     {at(https, true), https, "", v1alpha1.PullAnyone, false, https, true, 2},
		"from TLS, and both are served":           {at(https, true), http, https, v1alpha1.PullAnyone, true, http, false, 3},
		"from TLS, and down before they know":     {at(https, true), http, https, v1alpha1.PullAnyone, false, https, true, 2},
		"open to all before that is taken up":     {at(https, true), https, "", v1alpha1.PullAnyone, false, https, true, 2},
		"for nodes alone before that is taken up": {at(https, false), https, "", v1alpha1.PullNodes, false, https, true, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := hub("a", 1, "a.example")
			h.Status.Endpoint, h.Spec.Access.Pull = tc.led, tc.pull
			if tc.former != "" {
				h.Status.FormerEndpoint = &v1alpha1.FormerEndpoint{URL: tc.former}
			}
			if !tc.serves {
				down(&h)
			}
			next := nodes.NextConfiguration(configuration(2, tc.present), 2, []v1alpha1.RegistryHub{h}, nil, nil, 0, "")
			want := at(tc.wantEndpoint, tc.wantCert)
			want.Revision = tc.wantRevision
			if diff := cmp.Diff([]configv1alpha1.NodeHub{want}, next.Hubs); diff != "" {
				t.Errorf("the nodes are told (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAHubForEveryOtherHostTellsNodesForWhich(t *testing.T) {
	t.Parallel()
	patterns := func(patterns ...v1alpha1.HostPattern) func(*v1alpha1.RegistryHub) {
		return func(h *v1alpha1.RegistryHub) { h.Spec.Mirror = &v1alpha1.MirrorSpec{AllowedHosts: patterns} }
	}
	anyHost := hub("any", 1, "*")
	told := entry("any", 2, "*")
	told.AllowedHosts = []string{"*.gcr.io", "quay.io"}
	first := nodes.NextConfiguration(configuration(1), 1, []v1alpha1.RegistryHub{with(anyHost, patterns("quay.io", "*.gcr.io"))}, nil, nil, 0, "")
	if diff := cmp.Diff(configuration(2, told), first); diff != "" {
		t.Errorf("the entry (-want +got):\n%s", diff)
	}
	if again := nodes.NextConfiguration(first, 2, []v1alpha1.RegistryHub{with(anyHost, patterns("*.gcr.io", "quay.io"))}, nil, nil, 0, ""); again != first {
		t.Errorf("another order of the patterns is another revision: %+v", again)
	}
	if changed := nodes.NextConfiguration(first, 2, []v1alpha1.RegistryHub{with(anyHost, patterns("quay.io"))}, nil, nil, 0, ""); changed.Revision != 3 {
		t.Errorf("another list is revision %d, want 3", changed.Revision)
	}
}

func TestConflicts(t *testing.T) {
	t.Parallel()
	one := []v1alpha1.RegistryHost{"x.example"}
	a, b, c := hub("a", 1, one...), hub("b", 2, one...), hub("c", 3, one...)
	zones := []nodes.Node{{Name: "n1", Labels: pairs("zone", "1")}, {Name: "n2", Labels: pairs("zone", "2", "gpu", "yes")}}
	cases := map[string]struct {
		hubs []v1alpha1.RegistryHub
		want map[string][]nodes.Conflict
	}{
		"one hub":                       {[]v1alpha1.RegistryHub{a}, map[string][]nodes.Conflict{}},
		"the older keeps it":            {[]v1alpha1.RegistryHub{b, a}, map[string][]nodes.Conflict{"b": {{Host: "x.example", Older: "a"}}}},
		"the older is being deleted":    {[]v1alpha1.RegistryHub{with(a, going), b}, map[string][]nodes.Conflict{}},
		"other hosts":                   {[]v1alpha1.RegistryHub{a, hub("b", 2, "y.example")}, map[string][]nodes.Conflict{}},
		"disjoint selectors":            {[]v1alpha1.RegistryHub{with(a, selecting("zone", "1")), with(b, selecting("zone", "2"))}, map[string][]nodes.Conflict{}},
		"selectors that share a node":   {[]v1alpha1.RegistryHub{with(a, selecting("gpu", "yes")), with(b, selecting("zone", "2"))}, map[string][]nodes.Conflict{"b": {{Host: "x.example", Older: "a"}}}},
		"the same words, without nodes": {[]v1alpha1.RegistryHub{with(a, selecting("zone", "9")), with(b, selecting("zone", "9"))}, map[string][]nodes.Conflict{"b": {{Host: "x.example", Older: "a"}}}},
		"the third against the first, since the second has nothing": {
			[]v1alpha1.RegistryHub{with(a, selecting("zone", "1")), b, with(c, selecting("zone", "2"))},
			map[string][]nodes.Conflict{"b": {{Host: "x.example", Older: "a"}}},
		},
		"of one age, by name":               {[]v1alpha1.RegistryHub{hub("b", 1, one...), a}, map[string][]nodes.Conflict{"b": {{Host: "x.example", Older: "a"}}}},
		"every other host, and one of them": {[]v1alpha1.RegistryHub{hub("a", 1, "*"), b}, map[string][]nodes.Conflict{}},
		"every other host, twice":           {[]v1alpha1.RegistryHub{hub("a", 1, "*"), hub("b", 2, "*")}, map[string][]nodes.Conflict{"b": {{Host: "*", Older: "a"}}}},
		"no selector and an empty one": {
			[]v1alpha1.RegistryHub{a, with(b, selecting())}, map[string][]nodes.Conflict{"b": {{Host: "x.example", Older: "a"}}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, nodes.Conflicts(tc.hubs, zones)); diff != "" {
				t.Errorf("conflicts (-want +got):\n%s", diff)
			}
		})
	}
}
