package registryhub

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/internal/pki"
	"github.com/registryhub/registryhub/controllers/resources"
)

func TestCertificateReady(t *testing.T) {
	t.Parallel()
	https := func(s *scope) { s.hub.Spec.Endpoint.Scheme = v1alpha1.EndpointHTTPS }
	became := func(reason string) func(*scope) {
		return func(s *scope) { s.certificate = certificateState{reason: reason, message: "m"} }
	}
	for name, tc := range map[string]struct {
		scope *scope
		want  string
	}{
		"plain HTTP":    {healthy(), "True/PlainHTTP"},
		"issued":        {healthy(https, became(v1alpha1.ReasonIssued)), "True/Issued"},
		"no authority":  {healthy(https, became(v1alpha1.ReasonAwaitingAuthority)), "False/AwaitingAuthority"},
		"no address":    {healthy(https, became(v1alpha1.ReasonAwaitingAddress)), "False/AwaitingAddress"},
		"not looked at": {healthy(https), "False/InvalidSpec"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			condition := certificateReady(tc.scope)
			if got := string(condition.Status) + "/" + condition.Reason; got != tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
		})
	}
}

func TestTheCertificateIsForEveryAddressAndNameOfTheService(t *testing.T) {
	t.Parallel()
	hub := healthy().hub
	service := &corev1.Service{Spec: corev1.ServiceSpec{ClusterIP: "10.0.0.1", ClusterIPs: []string{"10.0.0.1", "fd00::1"}}}
	got, found := serverProfile(hub, service, resources.Settings{Namespace: "ns"})
	want := pki.Server("hub-a", []string{"hub-a.ns.svc", "hub-a.ns.svc.cluster.local"},
		[]netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fd00::1")})
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" || !found {
		t.Errorf("found %v (-want +got):\n%s", found, diff)
	}
	hub.Spec.Endpoint = v1alpha1.EndpointSpec{Type: v1alpha1.EndpointExternal, External: &v1alpha1.ExternalEndpoint{URL: "https://hub.example.com:8443"}}
	hub.Status.Endpoint, hub.Status.FormerEndpoint = "https://127.0.0.1:31000", &v1alpha1.FormerEndpoint{URL: "https://10.0.0.9:5000"}
	got, _ = serverProfile(hub, service, resources.Settings{Namespace: "ns"})
	want.Hosts, want.Addresses = append(want.Hosts, "hub.example.com"), append(want.Addresses, netip.MustParseAddr("127.0.0.1"))
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("of a hub that moves (-want +got):\n%s", diff)
	}
	for name, without := range map[string]*corev1.Service{
		"no Service": nil, "no address": {}, "headless": {Spec: corev1.ServiceSpec{ClusterIPs: []string{corev1.ClusterIPNone}}},
	} {
		if _, found := serverProfile(hub, without, resources.Settings{}); found {
			t.Errorf("%s: there is something to issue a certificate for", name)
		}
	}
}
