package manifests

import (
	"net/netip"
	"path/filepath"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"
)

// endpoint is one end of a connection: a Pod of the operator's namespace or of another, or an address alone.
type endpoint struct {
	pod, namespace labels.Set
	address        string
}

var (
	ours       = labels.Set{"kubernetes.io/metadata.name": "registryhub-system"}
	aManager   = endpoint{pod: component("manager"), namespace: ours, address: "10.244.0.2"}
	aProxy     = endpoint{pod: component("proxy"), namespace: ours, address: "10.244.0.3"}
	aRemedy    = endpoint{pod: component("remedy"), namespace: ours, address: "10.244.0.4"}
	aNode      = endpoint{address: "192.168.0.10"}
	aStranger  = endpoint{pod: labels.Set{"app": "any"}, namespace: labels.Set{"kubernetes.io/metadata.name": "team"}, address: "10.244.0.9"}
	prometheus = endpoint{pod: labels.Set{"app": "prometheus"}, namespace: labels.Set{"metrics": "enabled"}, address: "10.244.0.8"}
	apiServer  = endpoint{address: "192.168.0.1"}
	nodeLocal  = endpoint{address: "169.254.1.1"}
	upstream   = endpoint{address: "203.0.113.7"}
	upstreamV6 = endpoint{address: "2001:db8::7"}
	metadata   = endpoint{address: "169.254.169.254"}
	localDNS   = endpoint{address: "169.254.20.10"}
)

func component(name string) labels.Set {
	return labels.Set{"app.kubernetes.io/name": "registryhub", "app.kubernetes.io/component": name}
}

func TestNetworkPolicies(t *testing.T) {
	t.Parallel()
	policies := networkPolicies(t)
	ports := containerPorts(t)
	aRegistry := endpoint{pod: podTemplates(t)["deployment-identities.yaml"].Labels, namespace: ours, address: "10.244.0.5"}
	tests := map[string]struct {
		from, to endpoint
		port     int32
		protocol corev1.Protocol
		want     bool
	}{
		"nodes pull from a proxy":                           {aNode, aProxy, 5000, "TCP", true},
		"Pods can, where the hub lets them":                 {aStranger, aProxy, 5000, "TCP", true},
		"the manager asks a proxy what it serves with":      {aManager, aProxy, 8080, "TCP", true},
		"Prometheus scrapes a proxy":                        {prometheus, aProxy, 8080, "TCP", true},
		"nobody else sees a proxy's diagnostics":            {aStranger, aProxy, 8080, "TCP", false},
		"nor does one hub's proxy see another's":            {aProxy, aProxy, 8080, "TCP", false},
		"no other port of a proxy is open":                  {aNode, aProxy, 22, "TCP", false},
		"Prometheus scrapes the manager":                    {prometheus, aManager, 8080, "TCP", true},
		"nobody else sees the manager's metrics":            {aStranger, aManager, 8080, "TCP", false},
		"a proxy has no business with the manager":          {aProxy, aManager, 8080, "TCP", false},
		"the manager reaches the API server":                {aManager, apiServer, 6443, "TCP", true},
		"the manager reaches the API server by its Service": {aManager, apiServer, 443, "TCP", true},
		"the manager reaches nothing else":                  {aManager, upstream, 80, "TCP", false},
		"a proxy reaches upstreams":                         {aProxy, upstream, 443, "TCP", true},
		"a proxy reaches upstreams at other ports":          {aProxy, upstream, 5000, "TCP", true},
		"a proxy reaches upstreams by IPv6":                 {aProxy, upstreamV6, 443, "TCP", true},
		"a proxy does not reach the cloud's metadata":       {aProxy, metadata, 80, "TCP", false},
		"a proxy asks for names":                            {aProxy, aStranger, 53, "UDP", true},
		"a proxy asks for names on its node":                {aProxy, localDNS, 53, "UDP", true},
		"a proxy speaks nothing but TCP otherwise":          {aProxy, upstream, 443, "UDP", false},
		"a registry is pushed to":                           {aStranger, aRegistry, 5000, "TCP", true},
		"a registry asks the API server":                    {aRegistry, apiServer, 6443, "TCP", true},
		"a registry asks it wherever it is":                 {aRegistry, nodeLocal, 6443, "TCP", true},
		"no other proxy does":                               {aProxy, nodeLocal, 6443, "TCP", false},
		"a remedy reaches nothing":                          {aRemedy, apiServer, 6443, "TCP", false},
		"a remedy is reached by nothing":                    {aNode, aRemedy, 80, "TCP", false},
		"what is not of the operator is as it was":          {aStranger, upstream, 443, "TCP", true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ports := ports[tc.to.pod["app.kubernetes.io/component"]]
			egress := allowed(t, policies, networkingv1.PolicyTypeEgress, tc.from, tc.to, tc.port, tc.protocol, ports)
			ingress := allowed(t, policies, networkingv1.PolicyTypeIngress, tc.to, tc.from, tc.port, tc.protocol, ports)
			if got := egress && ingress; got != tc.want {
				t.Errorf("allowed: %v (egress %v, ingress %v), want %v", got, egress, ingress, tc.want)
			}
		})
	}
}

// Every port of every hub's Service is open, as its builder makes it.
func TestPoliciesLetNodesReachEveryPortOfAHubsService(t *testing.T) {
	t.Parallel()
	service := corev1.Service{}
	if err := yaml.Unmarshal([]byte(read(t, filepath.Join(root, "controllers", "resources", "testdata", "service.yaml"))), &service); err != nil {
		t.Fatal(err)
	}
	policies, ports := networkPolicies(t), containerPorts(t)["proxy"]
	for _, port := range service.Spec.Ports {
		number, known := ports[port.TargetPort.StrVal]
		if !known || !allowed(t, policies, networkingv1.PolicyTypeIngress, aProxy, aNode, number, corev1.ProtocolTCP, ports) {
			t.Errorf("nodes cannot reach the port %s (%s) of a hub's Pods", port.Name, port.TargetPort.String())
		}
	}
}

// A policy selects by the labels that Pods really have.
func TestPoliciesSelectThePodsThatThereAre(t *testing.T) {
	t.Parallel()
	policies := networkPolicies(t)
	for name, template := range podTemplates(t) {
		component := template.Labels["app.kubernetes.io/component"]
		selected := slices.ContainsFunc(policies, func(policy networkingv1.NetworkPolicy) bool {
			return matches(t, &policy.Spec.PodSelector, template.Labels)
		})
		if want := component != "node-agent"; selected != want {
			t.Errorf("%s is selected by a policy: %v, want %v", name, selected, want)
		}
	}
}

func networkPolicies(t *testing.T) []networkingv1.NetworkPolicy {
	t.Helper()
	var policies []networkingv1.NetworkPolicy
	for _, object := range only(withComponents(t, "network-policies"), "NetworkPolicy") {
		policy := networkingv1.NetworkPolicy{}
		into(t, object, &policy)
		policies = append(policies, policy)
	}
	return policies
}

// containerPorts are the numbers of the ports that policies name, by component.
func containerPorts(t *testing.T) map[string]map[string]int32 {
	t.Helper()
	ports := map[string]map[string]int32{}
	for _, template := range podTemplates(t) {
		of := template.Labels["app.kubernetes.io/component"]
		if ports[of] == nil {
			ports[of] = map[string]int32{}
		}
		for _, container := range template.Spec.Containers {
			for _, port := range container.Ports {
				ports[of][port.Name] = port.ContainerPort
			}
		}
	}
	return ports
}

// allowed says whether policies let one end of a connection have it with its peer: yes when none selects it, or when a rule of
// one that does matches.
func allowed(t *testing.T, policies []networkingv1.NetworkPolicy, direction networkingv1.PolicyType, subject, peer endpoint, port int32, protocol corev1.Protocol, names map[string]int32) bool {
	t.Helper()
	selected := false
	for _, policy := range policies {
		isOurs := subject.namespace["kubernetes.io/metadata.name"] == policy.Namespace
		if !isOurs || !slices.Contains(policy.Spec.PolicyTypes, direction) || !matches(t, &policy.Spec.PodSelector, subject.pod) {
			continue
		}
		selected = true
		for _, rule := range rules(policy, direction) {
			if rule.hasPeer(t, peer, policy.Namespace) && rule.hasPort(port, protocol, names) {
				return true
			}
		}
	}
	return !selected
}

// rule is one of either direction.
type rule struct {
	peers []networkingv1.NetworkPolicyPeer
	ports []networkingv1.NetworkPolicyPort
}

func rules(policy networkingv1.NetworkPolicy, direction networkingv1.PolicyType) []rule {
	var all []rule
	if direction == networkingv1.PolicyTypeIngress {
		for _, one := range policy.Spec.Ingress {
			all = append(all, rule{one.From, one.Ports})
		}
		return all
	}
	for _, one := range policy.Spec.Egress {
		all = append(all, rule{one.To, one.Ports})
	}
	return all
}

func (r rule) hasPeer(t *testing.T, peer endpoint, namespace string) bool {
	t.Helper()
	if len(r.peers) == 0 {
		return true
	}
	for _, one := range r.peers {
		if one.IPBlock != nil {
			if inBlock(*one.IPBlock, peer.address) {
				return true
			}
			continue
		}
		inNamespace := peer.namespace["kubernetes.io/metadata.name"] == namespace
		if one.NamespaceSelector != nil {
			inNamespace = peer.namespace != nil && matches(t, one.NamespaceSelector, peer.namespace)
		}
		if inNamespace && (one.PodSelector == nil || matches(t, one.PodSelector, peer.pod)) {
			return true
		}
	}
	return false
}

func (r rule) hasPort(number int32, protocol corev1.Protocol, names map[string]int32) bool {
	for _, port := range r.ports {
		if *port.Protocol != protocol {
			continue
		}
		first := port.Port.IntVal
		if port.Port.Type == intstr.String {
			first = names[port.Port.StrVal]
		}
		last := first
		if port.EndPort != nil {
			last = *port.EndPort
		}
		if first <= number && number <= last {
			return true
		}
	}
	return len(r.ports) == 0
}

func inBlock(block networkingv1.IPBlock, address string) bool {
	at := netip.MustParseAddr(address)
	excepted := slices.ContainsFunc(block.Except, func(except string) bool { return netip.MustParsePrefix(except).Contains(at) })
	return netip.MustParsePrefix(block.CIDR).Contains(at) && !excepted
}

func matches(t *testing.T, selector *metav1.LabelSelector, set labels.Set) bool {
	t.Helper()
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		t.Fatal(err)
	}
	return set != nil && parsed.Matches(set)
}
