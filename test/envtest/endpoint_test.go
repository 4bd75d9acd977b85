package envtest

import (
	"crypto/x509"
	"fmt"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
)

func scheme(scheme v1alpha1.EndpointScheme) func(*v1alpha1.RegistryHub) {
	return func(hub *v1alpha1.RegistryHub) { hub.Spec.Endpoint.Scheme = scheme }
}

// servedWith is what the hub's ConfigMap says of TLS; nil for plain HTTP.
func (w *world) servedWith(hub string) func() *configv1alpha1.ListenTLS {
	return func() *configv1alpha1.ListenTLS {
		configMap := &corev1.ConfigMap{}
		w.Expect(w.child(hub, configMap)).To(Succeed())
		configuration, err := configv1alpha1.DecodeProxyConfiguration([]byte(configMap.Data["config.yaml"]))
		w.Expect(err).NotTo(HaveOccurred())
		return configuration.Listen.TLS
	}
}

// TestAChangeOfSchemeOverlaps plays a proxy and nodes that take their time: at each moment what nodes are led to is served.
func TestAChangeOfSchemeOverlaps(t *testing.T) {
	w := begin(t)
	restart(t, "endpointOverlap: 1s")
	t.Cleanup(func() { restart(t) })
	w.twoNodes()
	w.create(hubFor("scheme", "scheme.example", ephemeral, scheme(v1alpha1.EndpointHTTP)))
	proxy := w.proxy("scheme")
	w.ready("scheme")
	template, plain := w.template("scheme")(), w.get("scheme").Status.Endpoint
	secured := "https" + plain[len("http"):]
	directory := configv1alpha1.ListenTLS{CertificateDirectory: "/etc/registryhub/tls"}
	both := directory
	both.AlsoPlain = true

	for _, to := range []struct {
		scheme   v1alpha1.EndpointScheme
		from, to string
		then     *configv1alpha1.ListenTLS
	}{
		{v1alpha1.EndpointHTTPS, plain, secured, &directory},
		{v1alpha1.EndpointHTTP, secured, plain, nil},
	} {
		proxy.hold()
		w.change("scheme", scheme(to.scheme))
		w.becomes("scheme", v1alpha1.ConditionProxyAvailable, "False/ConfigurationPending")
		w.becomes("scheme", v1alpha1.ConditionNodesWired, "False/Wiring")
		w.Expect(w.servedWith("scheme")()).To(Equal(&both))
		w.Expect(w.get("scheme").Status.Endpoint).To(Equal(to.from), "the proxy does not serve both yet")
		w.Consistently(func() string { return w.entry("scheme").Endpoint }).Should(Equal(to.from))

		proxy.take()
		w.Eventually(func() string { return w.entry("scheme").Endpoint }).Should(Equal(to.to))
		w.Expect(w.get("scheme").Status.FormerEndpoint.URL).To(Equal(to.from))
		w.report("n1")
		w.becomes("scheme", v1alpha1.ConditionNodesWired, "False/Wiring")
		w.Consistently(w.servedWith("scheme"), "2s").Should(Equal(&both), "a node has not reported the move")

		w.report("n2")
		w.becomes("scheme", v1alpha1.ConditionReady, "True/Ready")
		w.Eventually(w.servedWith("scheme")).Should(Equal(to.then))
		w.Expect(w.get("scheme").Status.FormerEndpoint).To(BeNil())
		w.Consistently(w.condition("scheme", v1alpha1.ConditionReady)).Should(Equal("True/Ready"))
	}
	w.Expect(w.template("scheme")()).To(Equal(template), "the Pod stays")
}

// TestAnUnwillingNodeHoldsTheFormerEndpointForSoLong: it is Ready, and reports nothing.
func TestAnUnwillingNodeHoldsTheFormerEndpointForSoLong(t *testing.T) {
	w := begin(t)
	restart(t, "endpointOverlap: 1s")
	t.Cleanup(func() { restart(t) })
	w.twoNodes()
	w.create(hubFor("unwilling", "unwilling.example", ephemeral))
	w.ready("unwilling")
	w.change("unwilling", scheme(v1alpha1.EndpointHTTP))
	w.Eventually(func() *v1alpha1.FormerEndpoint { return w.get("unwilling").Status.FormerEndpoint }).ShouldNot(BeNil())
	w.Eventually(func() *v1alpha1.FormerEndpoint { return w.get("unwilling").Status.FormerEndpoint }).Should(BeNil())
	w.Eventually(w.servedWith("unwilling")).Should(BeNil())
}

// TestAHubHasAnAddressOfEachFamily: nodes are led to the first.
func TestAHubHasAnAddressOfEachFamily(t *testing.T) {
	w := begin(t)
	w.twoNodes()
	w.create(hubFor("dual", "dual.example", ephemeral))
	w.ready("dual")
	service := &corev1.Service{}
	w.Expect(w.child("dual", service)).To(Succeed())
	w.Expect(service.Spec.ClusterIPs).To(HaveLen(2))
	for _, address := range service.Spec.ClusterIPs {
		w.Expect(w.good(w.held("hub-dual-tls"), address, x509.ExtKeyUsageServerAuth)).To(Succeed(), address)
	}
	w.Expect(w.entry("dual").Endpoint).To(Equal("https://" + service.Spec.ClusterIPs[0] + ":5000"))
}

func TestNodesAreLedToANodePortAndBack(t *testing.T) {
	w := begin(t)
	restart(t, "endpointOverlap: 1s")
	t.Cleanup(func() { restart(t) })
	w.twoNodes()
	w.create(hubFor("nodeport", "nodeport.example", ephemeral, func(hub *v1alpha1.RegistryHub) {
		hub.Spec.Endpoint.Type, hub.Spec.Endpoint.Scheme = v1alpha1.EndpointNodePort, v1alpha1.EndpointHTTP
	}))
	w.ready("nodeport")
	service := &corev1.Service{}
	w.Expect(w.child("nodeport", service)).To(Succeed())
	port := fmt.Sprintf("http://127.0.0.1:%d", service.Spec.Ports[0].NodePort)
	w.Expect(w.entry("nodeport").Endpoint).To(Equal(port))
	w.Expect(w.good(w.held("hub-nodeport-tls"), "127.0.0.1", x509.ExtKeyUsageServerAuth)).To(Succeed())

	kind := func() corev1.ServiceType {
		w.Expect(w.child("nodeport", service)).To(Succeed())
		return service.Spec.Type
	}
	w.change("nodeport", func(hub *v1alpha1.RegistryHub) { hub.Spec.Endpoint.Type = v1alpha1.EndpointClusterIP })
	w.Eventually(func() string { return w.entry("nodeport").Endpoint }).Should(Equal("http://" + service.Spec.ClusterIP + ":5000"))
	w.Consistently(kind, "2s").Should(Equal(corev1.ServiceTypeNodePort), "nodes have not reported the move")
	w.reportAll()
	w.Eventually(kind).Should(Equal(corev1.ServiceTypeClusterIP))
	w.becomes("nodeport", v1alpha1.ConditionReady, "True/Ready")
}

func TestNodesAreLedToWhatSomebodyElseMade(t *testing.T) {
	w := begin(t)
	w.twoNodes()
	w.create(hubFor("external", "external.example", ephemeral, func(hub *v1alpha1.RegistryHub) {
		hub.Spec.Endpoint.Type, hub.Spec.Endpoint.External = v1alpha1.EndpointExternal, &v1alpha1.ExternalEndpoint{URL: "https://hub.example.com:8443"}
	}))
	w.ready("external")
	w.Expect(w.entry("external").Endpoint).To(Equal("https://hub.example.com:8443"))
	w.Expect(w.good(w.held("hub-external-tls"), "hub.example.com", x509.ExtKeyUsageServerAuth)).To(Succeed())
}
