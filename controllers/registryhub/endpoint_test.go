package registryhub

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/proxies"
)

const overHTTP, overTLS = "http://10.0.0.1:5000", "https://10.0.0.1:5000"

func TestWhereNodesAreLedWhileAHubMoves(t *testing.T) {
	t.Parallel()
	const elsewhere = "http://10.0.0.9:5000"
	pending := func(s *scope) {
		s.reports = []proxies.Report{{ProxyReport: configv1alpha1.ProxyReport{InForce: "before"}}}
	}
	secured := func(s *scope) { s.hub.Spec.Endpoint.Scheme = v1alpha1.EndpointHTTPS }
	led := func(url string) func(*scope) { return func(s *scope) { s.hub.Status.Endpoint = url } }
	formerly := func(url string, ago time.Duration) func(*scope) {
		return func(s *scope) {
			s.overlap, s.patience = 10*time.Minute, 5*time.Minute
			s.hub.Status.FormerEndpoint = &v1alpha1.FormerEndpoint{URL: url, Since: metav1.NewTime(now.Add(-ago))}
		}
	}
	told := func(url string) func(*scope) { return func(s *scope) { s.configuration.Hubs[0].Endpoint = url } }
	byNodePort := func(s *scope) {
		s.hub.Spec.Endpoint.Type, s.service.Spec.Ports = v1alpha1.EndpointNodePort, []corev1.ServicePort{{Name: "registry", NodePort: 31000}}
	}
	issued := func(ago time.Duration) func(*scope) { return func(s *scope) { s.certificate.changed = now.Add(-ago) } }
	slow := func(s *scope) { s.snapshot.Nodes[0].Revision = 4 }
	withdrawn := func(s *scope) { s.configuration.Hubs = nil }
	for name, tc := range map[string]struct {
		scope    *scope
		endpoint string
		former   string
		since    time.Duration
		again    time.Duration
	}{
		"a new hub":                                   {healthy(secured), overTLS, "", 0, 0},
		"one that stays":                              {healthy(led(overHTTP)), overHTTP, "", 0, 0},
		"the new scheme is not served yet":            {healthy(secured, led(overHTTP), pending), overHTTP, "", 0, 0},
		"the new scheme is served":                    {healthy(secured, led(overHTTP)), overTLS, overHTTP, 0, 0},
		"the other way":                               {healthy(led(overTLS)), overHTTP, overTLS, 0, 0},
		"its certificate may not be there":            {healthy(secured, byNodePort, led(overTLS), issued(time.Minute)), overTLS, "", 0, time.Minute},
		"its certificate is there":                    {healthy(secured, byNodePort, led(overTLS), issued(2*time.Minute)), "https://127.0.0.1:31000", overTLS, 0, 0},
		"its certificate named that host before":      {healthy(secured, led(overHTTP), issued(time.Minute)), overTLS, overHTTP, 0, 0},
		"the Service has another address":             {healthy(led(elsewhere), pending), overHTTP, "", 0, 0},
		"pulls that began there may not have ended":   {healthy(secured, led(overTLS), told(overTLS), formerly(overHTTP, 4*time.Minute)), overTLS, overHTTP, 4 * time.Minute, 6 * time.Minute},
		"every node is led away":                      {healthy(secured, led(overTLS), told(overTLS), formerly(overHTTP, 11*time.Minute)), overTLS, "", 0, 0},
		"a node has not heard of it":                  {healthy(secured, led(overTLS), told(overTLS), slow, formerly(overHTTP, 11*time.Minute)), overTLS, overHTTP, 11 * time.Minute, withdrawalPeriod},
		"such a node is not Ready":                    {healthy(secured, led(overTLS), told(overTLS), slow, firstNode(notReady), formerly(overHTTP, 11*time.Minute)), overTLS, "", 0, 0},
		"such a node is waited for no longer":         {healthy(secured, led(overTLS), told(overTLS), slow, formerly(overHTTP, 16*time.Minute)), overTLS, "", 0, minimumDelay},
		"the nodes are not told yet":                  {healthy(secured, led(overTLS), told(overHTTP), formerly(overHTTP, 11*time.Minute)), overTLS, overHTTP, 11 * time.Minute, withdrawalPeriod},
		"the nodes are told nothing of the hub":       {healthy(secured, led(overTLS), withdrawn, formerly(overHTTP, 11*time.Minute)), overTLS, "", 0, 0},
		"back before it is over":                      {healthy(led(overTLS), told(overTLS), formerly(overHTTP, time.Minute)), overHTTP, overTLS, 0, 0},
		"on to a third before it is over":             {healthy(secured, led(overHTTP), told(overHTTP), formerly(elsewhere, time.Minute)), overHTTP, elsewhere, time.Minute, 9 * time.Minute},
		"on to a third, and nobody is where it was":   {healthy(secured, led(overHTTP), told(overHTTP), formerly(elsewhere, 11*time.Minute)), overHTTP, "", 0, 0},
		"nodes are unknown and there is nothing told": {healthy(secured, led(overTLS), func(s *scope) { s.configuration = nil }, formerly(overHTTP, 11*time.Minute)), overTLS, overHTTP, 11 * time.Minute, withdrawalPeriod},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := tc.scope.endpoint(); got != tc.endpoint {
				t.Errorf("nodes are led to %s, want %s", got, tc.endpoint)
			}
			var want *v1alpha1.FormerEndpoint
			if tc.former != "" {
				want = &v1alpha1.FormerEndpoint{URL: tc.former, Since: metav1.NewTime(now.Add(-tc.since))}
			}
			if diff := cmp.Diff(want, tc.scope.formerEndpoint(), cmp.Comparer(func(a, b metav1.Time) bool { return a.Unix() == b.Unix() })); diff != "" {
				t.Errorf("served beside it (-want +got):\n%s", diff)
			}
			if tc.scope.next != tc.again {
				t.Errorf("it is looked at again in %s, want %s", tc.scope.next, tc.again)
			}
		})
	}
}

func TestAHubThatMovesIsNotReady(t *testing.T) {
	t.Parallel()
	s := healthy(func(s *scope) {
		s.hub.Spec.Endpoint.Scheme, s.hub.Status.Endpoint = v1alpha1.EndpointHTTPS, overHTTP
		s.reports = nil
	})
	if got := nodesWired(s); got.Status != metav1.ConditionFalse || got.Reason != v1alpha1.ReasonWiring {
		t.Errorf("got %s/%s, want False/%s", got.Status, got.Reason, v1alpha1.ReasonWiring)
	}
}

func TestAProxyThatServesTheFormerEndpointStillIsAvailable(t *testing.T) {
	t.Parallel()
	s := healthy(func(s *scope) {
		s.movingHash = "moving"
		s.reports = []proxies.Report{{AskedFor: "moving", ProxyReport: configv1alpha1.ProxyReport{InForce: "moving"}}}
	})
	if got := proxyAvailable(s); got.Status != metav1.ConditionTrue {
		t.Errorf("got %s/%s, want True", got.Status, got.Reason)
	}
	s.reports[0].Refused = &configv1alpha1.RefusedConfiguration{Hash: "wanted"}
	if got := proxyAvailable(s); got.Status == metav1.ConditionTrue {
		t.Error("it is available, and refuses to leave the former endpoint")
	}
}
