package envtest

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
)

// held is a Secret of the operator's; empty while it is not there.
func (w *world) held(name string) *corev1.Secret {
	secret := &corev1.Secret{}
	w.Expect(client.IgnoreNotFound(k8s.Get(ctxOf(), client.ObjectKey{Namespace: namespace, Name: name}, secret))).To(Succeed())
	return secret
}

// trusted is the bundle that the operator publishes.
func (w *world) trusted() string {
	configMap := &corev1.ConfigMap{}
	w.Expect(client.IgnoreNotFound(k8s.Get(ctxOf(), client.ObjectKey{Namespace: namespace, Name: configv1alpha1.BundleName}, configMap))).To(Succeed())
	return configMap.Data[configv1alpha1.BundleKey]
}

// good is why the certificate in a Secret would be refused by who trusts the bundle; nil for none.
func (w *world) good(secret *corev1.Secret, host string, usage x509.ExtKeyUsage) error {
	pair, err := tls.X509KeyPair(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey])
	if err != nil {
		return fmt.Errorf("Secret %q: %w", secret.Name, err)
	}
	certificate := pair.Leaf
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(w.trusted()))
	_, err = certificate.Verify(x509.VerifyOptions{Roots: roots, DNSName: host, KeyUsages: []x509.ExtKeyUsage{usage}})
	return err
}

// poke makes the manager look at once at what it looks at now and then.
func (w *world) poke(object client.Object) {
	w.t.Helper()
	patch := fmt.Sprintf(`{"metadata":{"annotations":{"test/poked":%q}}}`, time.Now().String())
	w.Expect(k8s.Patch(ctxOf(), object, client.RawPatch("application/merge-patch+json", []byte(patch)))).To(Succeed())
}

func (w *world) pokeHub(name string) {
	w.t.Helper()
	w.poke(&v1alpha1.RegistryHub{ObjectMeta: metav1.ObjectMeta{Name: name}})
}

func (w *world) pokeAuthority() {
	w.t.Helper()
	w.poke(&corev1.ConfigMap{ObjectMeta: named(configv1alpha1.BundleName)})
}

func TestAHubHasACertificate(t *testing.T) {
	w := begin(t)
	w.twoNodes()
	w.create(hubFor("certified", "certified.example", ephemeral))
	w.ready("certified")
	w.becomes("certified", v1alpha1.ConditionCertificateReady, "True/Issued")

	service := &corev1.Service{}
	w.Expect(w.child("certified", service)).To(Succeed())
	secret := w.held("hub-certified-tls")
	for _, host := range append(service.Spec.ClusterIPs, "hub-certified."+namespace+".svc", "hub-certified."+namespace+".svc.cluster.local") {
		w.Expect(w.good(secret, host, x509.ExtKeyUsageServerAuth)).To(Succeed(), host)
	}
	w.Expect(w.good(w.held("registryhub-node-client"), "", x509.ExtKeyUsageClientAuth)).To(Succeed())
	w.Expect(secret.OwnerReferences).To(HaveLen(1))
	w.Expect(secret.OwnerReferences[0].UID).To(Equal(service.UID), "it goes with the Service")
	w.Expect(w.nodeConfiguration().CABundle).To(Equal(w.trusted()))
	w.Expect(w.entry("certified").ClientCertificate).To(BeFalse())
	w.Expect(w.get("certified").Status.Access.Pull).To(Equal(v1alpha1.PullAnyone))
}

func TestAHubWithCredentialsIsForNodesAlone(t *testing.T) {
	w := begin(t)
	w.twoNodes()
	w.secret("nodes-alone", map[string][]byte{"username": []byte("u"), "password": []byte("p")})
	w.create(hubFor("nodesalone", "nodesalone.example", ephemeral, func(hub *v1alpha1.RegistryHub) {
		hub.Spec.Mirror.Upstreams = []v1alpha1.Upstream{{
			Name: "u", URL: "https://u.example", CredentialsSecretRef: &v1alpha1.SecretReference{Name: "nodes-alone"},
		}}
	}))
	w.ready("nodesalone")
	w.Expect(w.entry("nodesalone").ClientCertificate).To(BeTrue())
	w.Expect(w.get("nodesalone").Status.Access.Pull).To(Equal(v1alpha1.PullNodes))
	configMap := &corev1.ConfigMap{}
	w.Expect(w.child("nodesalone", configMap)).To(Succeed())
	configuration, err := configv1alpha1.DecodeProxyConfiguration([]byte(configMap.Data["config.yaml"]))
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(configuration.Listen.TLS).To(Equal(&configv1alpha1.ListenTLS{
		CertificateDirectory: "/etc/registryhub/tls", ClientCAFile: "/etc/registryhub/tls/ca.crt",
	}))
}

func TestAPlainHubHasACertificateInReserve(t *testing.T) {
	w := begin(t)
	w.twoNodes()
	w.create(hubFor("plainhttp", "plainhttp.example", ephemeral, func(hub *v1alpha1.RegistryHub) {
		hub.Spec.Endpoint.Scheme = v1alpha1.EndpointHTTP
	}))
	w.ready("plainhttp")
	w.becomes("plainhttp", v1alpha1.ConditionCertificateReady, "True/PlainHTTP")
	w.Expect(w.get("plainhttp").Status.Endpoint).To(HavePrefix("http://"))
	service := &corev1.Service{}
	w.Expect(w.child("plainhttp", service)).To(Succeed())
	w.Expect(w.good(w.held("hub-plainhttp-tls"), service.Spec.ClusterIP, x509.ExtKeyUsageServerAuth)).To(Succeed())
}

func TestACertificateIsIssuedAnewWhenItHasTo(t *testing.T) {
	w := begin(t)
	w.twoNodes()
	w.create(hubFor("harmed", "harmed.example", ephemeral))
	w.ready("harmed")
	service := &corev1.Service{}
	w.Expect(w.child("harmed", service)).To(Succeed())
	address := service.Spec.ClusterIP
	for name, harm := range map[string]func(secret *corev1.Secret){
		"rubbish":       func(secret *corev1.Secret) { secret.Data[corev1.TLSCertKey] = []byte("rubbish") },
		"another's key": func(secret *corev1.Secret) { _, secret.Data[corev1.TLSPrivateKeyKey] = keyPair(t) },
		"somebody else's": func(secret *corev1.Secret) {
			secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey] = keyPair(t)
		},
	} {
		secret := w.held("hub-harmed-tls")
		w.byHand(secret, func() { harm(secret) })
		w.pokeHub("harmed")
		w.Eventually(func() error {
			return w.good(w.held("hub-harmed-tls"), address, x509.ExtKeyUsageServerAuth)
		}).Should(Succeed(), name)
	}
	w.Eventually(w.told("harmed")).Should(ContainElement("Warning/Issued"))

	before := w.held("hub-harmed-tls").Data[corev1.TLSCertKey]
	w.pokeHub("harmed")
	w.Consistently(func() []byte { return w.held("hub-harmed-tls").Data[corev1.TLSCertKey] }).Should(Equal(before), "a good one is left alone")

	w.Expect(k8s.Delete(ctxOf(), service)).To(Succeed())
	w.Eventually(func() error {
		service := &corev1.Service{}
		if err := w.child("harmed", service); err != nil {
			return err
		}
		return w.good(w.held("hub-harmed-tls"), service.Spec.ClusterIP, x509.ExtKeyUsageServerAuth)
	}).Should(Succeed(), "the address has changed")
}

// TestTheAuthorityIsReplacedInSteps plays nodes that hear of it late.
func TestTheAuthorityIsReplacedInSteps(t *testing.T) {
	w := begin(t)
	w.twoNodes()
	w.create(hubFor("rotating", "rotating.example", ephemeral))
	w.ready("rotating")
	restart(t, "certificates: {overlap: 1s}")
	t.Cleanup(func() { restart(t) })
	old, leaf := w.trusted(), w.held("hub-rotating-tls").Data[corev1.TLSCertKey]

	authority := w.held(configv1alpha1.AuthoritySecretName)
	w.byHand(authority, func() {
		metav1.SetMetaDataAnnotation(&authority.ObjectMeta, v1alpha1.AnnotationRotateBefore, time.Now().Add(time.Second).Format(time.RFC3339))
	})
	w.Eventually(func() string { w.pokeAuthority(); return w.trusted() }).Should(And(ContainSubstring(old), Not(Equal(old))), "both are trusted")
	both := w.trusted()
	w.Eventually(func() string { return w.nodeConfiguration().CABundle }).Should(Equal(both))
	w.Eventually(func() string { return string(w.held("hub-rotating-tls").Data["ca.crt"]) }).Should(Equal(both))
	w.Consistently(func() []byte { return w.held("hub-rotating-tls").Data[corev1.TLSCertKey] }).
		WithTimeout(3*time.Second).Should(Equal(leaf), "nodes have not heard of the new one yet")
	w.Expect(w.trusted()).To(Equal(both))

	w.report("n1")
	w.report("n2")
	w.Eventually(func() []byte { return w.held("hub-rotating-tls").Data[corev1.TLSCertKey] }).ShouldNot(Equal(leaf), "all trust the new one")
	w.Eventually(w.trusted).ShouldNot(Or(ContainSubstring(old), Equal(both)), "nothing of the old one is in use")
	service := &corev1.Service{}
	w.Expect(w.child("rotating", service)).To(Succeed())
	w.Expect(w.good(w.held("hub-rotating-tls"), service.Spec.ClusterIP, x509.ExtKeyUsageServerAuth)).To(Succeed())
	w.Expect(w.good(w.held("registryhub-node-client"), "", x509.ExtKeyUsageClientAuth)).To(Succeed())
	w.report("n1")
	w.report("n2")
	w.becomes("rotating", v1alpha1.ConditionReady, "True/Ready")
}

func TestALostAuthorityLeavesWhatItSigned(t *testing.T) {
	w := begin(t)
	w.twoNodes()
	w.create(hubFor("orphaned", "orphaned.example", ephemeral))
	w.ready("orphaned")
	old, leaf := w.trusted(), w.held("hub-orphaned-tls").Data[corev1.TLSCertKey]
	w.Expect(k8s.Delete(ctxOf(), w.held(configv1alpha1.AuthoritySecretName))).To(Succeed())
	w.pokeAuthority()
	w.Eventually(w.trusted).Should(And(ContainSubstring(old), Not(Equal(old))), "another one is on its way")
	w.pokeHub("orphaned")
	w.Eventually(func() string { return string(w.held("hub-orphaned-tls").Data["ca.crt"]) }).Should(Equal(w.trusted()))
	w.Expect(w.held("hub-orphaned-tls").Data[corev1.TLSCertKey]).To(Equal(leaf), "nodes trust it still")
	w.Eventually(w.authorityEvents).Should(ContainElement("Normal/AuthorityRotating"))

	secret := w.held(configv1alpha1.AuthoritySecretName)
	w.byHand(secret, func() { secret.Data["next.crt"] = []byte("rubbish") })
	w.pokeAuthority()
	w.Eventually(w.authorityEvents).Should(ContainElement("Warning/AuthorityRepaired"))
	w.Expect(w.trusted()).To(ContainSubstring(old))
}

func (w *world) authorityEvents() []string {
	list := &eventsv1.EventList{}
	w.Expect(k8s.List(ctxOf(), list, client.InNamespace(namespace))).To(Succeed())
	var told []string
	for _, event := range list.Items {
		if event.Regarding.Kind == "Secret" && event.Regarding.Name == configv1alpha1.AuthoritySecretName {
			told = append(told, event.Type+"/"+event.Reason)
		}
	}
	return told
}
