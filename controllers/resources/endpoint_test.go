package resources_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/resources"
)

func serviceAt(address string) *corev1.Service {
	return &corev1.Service{Spec: corev1.ServiceSpec{ClusterIP: address, ClusterIPs: []string{address}}}
}

func withNodePort(service *corev1.Service) *corev1.Service {
	service.Spec.Ports = []corev1.ServicePort{{Name: "registry", NodePort: 31000}}
	return service
}

func byNodePort(hub *v1alpha1.RegistryHub) *v1alpha1.RegistryHub {
	hub.Spec.Endpoint.Type = v1alpha1.EndpointNodePort
	return hub
}

func external(hub *v1alpha1.RegistryHub, url string) *v1alpha1.RegistryHub {
	hub.Spec.Endpoint.Type, hub.Spec.Endpoint.External = v1alpha1.EndpointExternal, &v1alpha1.ExternalEndpoint{URL: url}
	return hub
}

func TestEndpointURL(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		hub     *v1alpha1.RegistryHub
		service *corev1.Service
		want    string
	}{
		"an IPv4 address": {plain(), serviceAt("10.96.0.7"), "http://10.96.0.7:5000"},
		"an IPv6 address": {plain(), serviceAt("fd00::7"), "http://[fd00::7]:5000"},
		"over TLS":        {rich(), serviceAt("10.96.0.7"), "https://10.96.0.7:5000"},
		"a node port":     {byNodePort(rich()), withNodePort(serviceAt("10.96.0.7")), "https://127.0.0.1:31000"},
		"none yet":        {byNodePort(rich()), serviceAt("10.96.0.7"), ""},
		"one in reserve":  {plain(), withNodePort(serviceAt("10.96.0.7")), "http://10.96.0.7:5000"},
		"somebody else's": {external(rich(), "https://hub.example.com:8443"), serviceAt("10.96.0.7"), "https://hub.example.com:8443"},
		"no Service":      {plain(), nil, ""},
		"no address yet":  {plain(), &corev1.Service{}, ""},
		"headless":        {plain(), serviceAt(corev1.ClusterIPNone), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := resources.EndpointURL(tc.hub, tc.service)
			if got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
			if served := resources.Serves(tc.hub, tc.service, got); served != (tc.want != "") {
				t.Errorf("it is served: %v", served)
			}
			if resources.Serves(tc.hub, tc.service, "https://10.9.9.9:5000") {
				t.Error("another address is served")
			}
		})
	}
}

func TestTheServiceHasANodePortWhileNodesAreLedThere(t *testing.T) {
	t.Parallel()
	leaving := plain()
	leaving.Status.Endpoint = "http://127.0.0.1:31000"
	left := plain()
	left.Status.Endpoint, left.Status.FormerEndpoint = "http://10.0.0.1:5000", &v1alpha1.FormerEndpoint{URL: leaving.Status.Endpoint}
	for name, tc := range map[string]struct {
		hub  *v1alpha1.RegistryHub
		want corev1.ServiceType
	}{
		"never":           {plain(), corev1.ServiceTypeClusterIP},
		"they are to be":  {byNodePort(plain()), corev1.ServiceTypeNodePort},
		"they still are":  {leaving, corev1.ServiceTypeNodePort},
		"they were":       {left, corev1.ServiceTypeNodePort},
		"somebody else's": {external(plain(), "http://hub.example.com"), corev1.ServiceTypeClusterIP},
	} {
		if got := *resources.Service(tc.hub, settings).Spec.Type; got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
}

func TestAHubThatMovesIsServedInBothSchemes(t *testing.T) {
	t.Parallel()
	const http, https = "http://10.0.0.1:5000", "https://10.0.0.1:5000"
	const directory = "/etc/registryhub/tls"
	private := func(h *v1alpha1.RegistryHub) {
		h.Spec.Mirror.Upstreams = []v1alpha1.Upstream{{Name: "u", CredentialsSecretRef: &v1alpha1.SecretReference{Name: "s"}}}
	}
	nodesAlone := func(h *v1alpha1.RegistryHub) { h.Spec.Access.Pull = v1alpha1.PullNodes }
	for name, tc := range map[string]struct {
		scheme      v1alpha1.EndpointScheme
		led, former string
		change      func(*v1alpha1.RegistryHub)
		want        *configv1alpha1.ListenTLS
	}{
		"a new hub":                      {v1alpha1.EndpointHTTPS, "", "", nil, &configv1alpha1.ListenTLS{CertificateDirectory: directory}},
		"a new hub over HTTP":            {v1alpha1.EndpointHTTP, "", "", nil, nil},
		"one that stays":                 {v1alpha1.EndpointHTTPS, https, "", nil, &configv1alpha1.ListenTLS{CertificateDirectory: directory}},
		"to TLS, nodes not led there":    {v1alpha1.EndpointHTTPS, http, "", nil, &configv1alpha1.ListenTLS{CertificateDirectory: directory, AlsoPlain: true}},
		"to TLS, nodes led there":        {v1alpha1.EndpointHTTPS, https, http, nil, &configv1alpha1.ListenTLS{CertificateDirectory: directory, AlsoPlain: true}},
		"from TLS, nodes not led away":   {v1alpha1.EndpointHTTP, https, "", nil, &configv1alpha1.ListenTLS{CertificateDirectory: directory, AlsoPlain: true}},
		"from TLS, nodes led away":       {v1alpha1.EndpointHTTP, http, https, nil, &configv1alpha1.ListenTLS{CertificateDirectory: directory, AlsoPlain: true}},
		"from TLS, and over":             {v1alpha1.EndpointHTTP, http, "", nil, nil},
		"to TLS, what was for everybody": {v1alpha1.EndpointHTTPS, http, "", nodesAlone, &configv1alpha1.ListenTLS{CertificateDirectory: directory, ClientCAFile: directory + "/ca.crt", AlsoPlain: true}},
		"to TLS, what may not have been": {v1alpha1.EndpointHTTPS, http, "", private, &configv1alpha1.ListenTLS{CertificateDirectory: directory, ClientCAFile: directory + "/ca.crt"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hub := plain()
			hub.Spec.Endpoint.Scheme, hub.Status.Endpoint = tc.scheme, tc.led
			if tc.former != "" {
				hub.Status.FormerEndpoint = &v1alpha1.FormerEndpoint{URL: tc.former}
			}
			if tc.change != nil {
				tc.change(hub)
			}
			if diff := cmp.Diff(tc.want, resources.ProxyConfiguration(hub).Listen.TLS); diff != "" {
				t.Errorf("served with (-want +got):\n%s", diff)
			}
		})
	}
}
