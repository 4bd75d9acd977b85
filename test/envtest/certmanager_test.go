package envtest

import (
	"crypto/x509"
	"net"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/registryhub/registryhub/api/v1alpha1"
)

// TestAHubHasTheCertificateOfAnIssuer goes the way of a hub with cert-manager's own controllers, from before they are there
// until the hub has no issuer any more.
func TestAHubHasTheCertificateOfAnIssuer(t *testing.T) {
	w := begin(t)
	theirs := w.certManager()
	restart(t, "certificates: {overlap: 1s}")
	t.Cleanup(func() { restart(t) })
	w.twoNodes()
	w.create(hubFor("vouched", "vouched.example", ephemeral, by("Issuer", "corp")))
	w.serve("vouched")
	w.Eventually(w.hosts("vouched")).Should(Equal("vouched.example"), "nodes are led to it all the same")
	w.reportAll()
	w.becomes("vouched", v1alpha1.ConditionNodesWired, "True/NodesWired")

	w.theManagerSaysWhatIsMissing(theirs)
	first := w.theIssuersCertificateIsShownOnceNodesTrustIt()
	w.itIsReplacedWhenNodesTrustItsSuccessor(first)
	w.theHubGoesOverToAnother()
	w.theHubGoesBack()
}

func (w *world) theManagerSaysWhatIsMissing(theirs certManager) {
	w.t.Helper()
	w.becomes("vouched", v1alpha1.ConditionCertificateReady, "False/CertManagerNotInstalled")
	w.becomes("vouched", v1alpha1.ConditionReady, "False/CertManagerNotInstalled")
	w.Expect(w.shows("vouched", w.trusted())).To(Succeed(), "it shows the operator's own")
	w.define(theirs)
	w.lookedAt("vouched", v1alpha1.ConditionCertificateReady, "False/CertManagerForbidden")
	w.allow()
	w.lookedAt("vouched", v1alpha1.ConditionCertificateReady, "False/IssuerNotFound")
	w.run(theirs)
	w.createTheirs("Issuer", namespace, "corp", map[string]any{"ca": map[string]any{"secretName": "corp-ca"}})
	w.lookedAt("vouched", v1alpha1.ConditionReady, "False/IssuerNotReady")
	w.Eventually(func() string {
		w.pokeHub("vouched")
		return w.message("vouched", v1alpha1.ConditionReady)
	}).WithPolling(200*time.Millisecond).Should(ContainSubstring("corp-ca"), "in cert-manager's words")
	w.Expect(w.shows("vouched", w.trusted())).To(Succeed())
}

func (w *world) theIssuersCertificateIsShownOnceNodesTrustIt() (authority string) {
	w.t.Helper()
	corp := w.authority("corp one")
	w.keep("corp-ca", corp, "")
	w.lookedAt("vouched", v1alpha1.ConditionCertificateReady, "False/AwaitingTrust")
	w.Eventually(func() string { return w.entry("vouched").CABundle }).Should(Equal(pemOf(corp)), "nodes are told")
	w.Expect(w.condition("vouched", v1alpha1.ConditionNodesWired)()).To(Equal("True/NodesWired"), "and are wired as before")
	w.report("n1")
	w.pokeHub("vouched")
	w.Consistently(func() error { return w.shows("vouched", w.trusted()) }).Should(Succeed(), "n2 has not heard of it")
	w.report("n2")
	w.lookedAt("vouched", v1alpha1.ConditionCertificateReady, "True/Issued")
	w.becomes("vouched", v1alpha1.ConditionReady, "True/Ready")
	w.Expect(w.shows("vouched", pemOf(corp))).To(Succeed())
	w.Expect(string(w.held("hub-vouched-tls").Data["ca.crt"])).To(Equal(w.trusted()), "nodes are known by the operator's own")
	w.Expect(w.get("vouched").Status.Certificate.Issuer).To(Equal("Issuer corp"))

	wrote := writes.Load()
	w.pokeHub("vouched")
	w.Consistently(writes.Load).Should(Equal(wrote), "there is nothing more to do")

	service := &corev1.Service{}
	w.Expect(w.child("vouched", service)).To(Succeed())
	owners := w.certificate("vouched").GetOwnerReferences()
	w.Expect(owners).To(HaveLen(1))
	w.Expect(owners[0].UID).To(Equal(service.UID), "it goes with the Service")
	owners = w.held("hub-vouched-issued").OwnerReferences
	w.Expect(owners).To(HaveLen(1))
	w.Expect(owners[0].UID).To(Equal(w.certificate("vouched").GetUID()), "it goes with the Certificate")
	return pemOf(corp)
}

func (w *world) itIsReplacedWhenNodesTrustItsSuccessor(first string) {
	w.t.Helper()
	became := meta.FindStatusCondition(w.get("vouched").Status.Conditions, v1alpha1.ConditionReady).LastTransitionTime
	leaf := w.held("hub-vouched-tls").Data[corev1.TLSCertKey]
	corp := w.authority("corp two")
	w.keep("corp-ca", corp, "")
	generation := w.certificate("vouched").GetGeneration()
	w.setCertificate("vouched", func(status map[string]any) { says(status, "Issuing", "True", "renewed by hand", generation) })
	w.Eventually(func() string {
		w.pokeHub("vouched")
		return w.entry("vouched").CABundle
	}).WithPolling(200 * time.Millisecond).Should(And(ContainSubstring(first), ContainSubstring(pemOf(corp))))
	w.report("n1")
	w.pokeHub("vouched")
	w.Consistently(func() []byte { return w.held("hub-vouched-tls").Data[corev1.TLSCertKey] }).Should(Equal(leaf), "n2 has not heard of it")
	w.report("n2")
	w.Eventually(func() error { w.pokeHub("vouched"); return w.shows("vouched", pemOf(corp)) }).WithPolling(200 * time.Millisecond).Should(Succeed())
	w.Eventually(func() string { return w.entry("vouched").CABundle }).Should(Equal(pemOf(corp)), "the first one is trusted no more")
	w.reportAll()
	after := meta.FindStatusCondition(w.get("vouched").Status.Conditions, v1alpha1.ConditionReady)
	w.Expect(after.Status).To(Equal(metav1.ConditionTrue))
	w.Expect(after.LastTransitionTime).To(Equal(became), "it was Ready all the while")
}

func (w *world) theHubGoesOverToAnother() {
	w.t.Helper()
	leaf := w.held("hub-vouched-tls").Data[corev1.TLSCertKey]
	w.change("vouched", by("ClusterIssuer", "itself"))
	w.lookedAt("vouched", v1alpha1.ConditionReady, "False/IssuerNotFound")
	w.Expect(w.message("vouched", v1alpha1.ConditionReady)).To(ContainSubstring("the certificate from Issuer corp that it has"))
	w.createTheirs("ClusterIssuer", "", "itself", map[string]any{"selfSigned": map[string]any{}})
	w.lookedAt("vouched", v1alpha1.ConditionCertificateReady, "False/AwaitingTrust")
	w.Expect(w.held("hub-vouched-tls").Data[corev1.TLSCertKey]).To(Equal(leaf))
	w.Eventually(func() string { return w.entry("vouched").CABundle }).Should(Equal(w.get("vouched").Status.Certificate.CABundle))
	w.reportAll()
	w.lookedAt("vouched", v1alpha1.ConditionCertificateReady, "True/Issued")
	w.Expect(w.shows("vouched", string(w.held("hub-vouched-tls").Data[corev1.TLSCertKey]))).To(Succeed(), "it has signed itself")
	w.becomes("vouched", v1alpha1.ConditionReady, "True/Ready")
}

func (w *world) theHubGoesBack() {
	w.t.Helper()
	w.change("vouched", func(hub *v1alpha1.RegistryHub) { hub.Spec.Endpoint.Certificate = nil })
	w.Eventually(func() error { return w.shows("vouched", w.trusted()) }).Should(Succeed(), "nodes have trusted it all the while")
	w.Eventually(func() any { return w.certificate("vouched") }).Should(BeNil())
	w.Eventually(func() any { return w.get("vouched").Status.Certificate }).Should(BeNil())
	w.Eventually(func() string { return w.entry("vouched").CABundle }).Should(BeEmpty())
	w.becomes("vouched", v1alpha1.ConditionCertificateReady, "True/Issued")
	w.reportAll()
	w.becomes("vouched", v1alpha1.ConditionReady, "True/Ready")
}

// TestAnIssuersFailuresAreTold plays an issuer of a group that is not cert-manager's, and its controllers.
func TestAnIssuersFailuresAreTold(t *testing.T) {
	w := begin(t)
	w.define(w.certManager())
	w.allow()
	restart(t, "certificates: {overlap: 1s}")
	t.Cleanup(func() { restart(t) })
	w.twoNodes()
	w.create(hubFor("refusedby", "refusedby.example", ephemeral, by("PKI", "corp"), func(hub *v1alpha1.RegistryHub) {
		hub.Spec.Endpoint.Certificate.IssuerRef.Group = "pki.example.com"
	}))
	w.serve("refusedby")
	w.lookedAt("refusedby", v1alpha1.ConditionCertificateReady, "False/AwaitingIssuer")
	w.reportAll()
	generation := w.certificate("refusedby").GetGeneration()
	w.setCertificate("refusedby", func(status map[string]any) {
		status["lastFailureTime"] = time.Now().UTC().Format(time.RFC3339)
		says(status, "Issuing", "False", "no names like these", generation)
	})
	w.lookedAt("refusedby", v1alpha1.ConditionReady, "False/IssuanceFailed")
	w.Expect(w.message("refusedby", v1alpha1.ConditionReady)).To(ContainSubstring("no names like these"))

	authority := w.authority("pki")
	service := &corev1.Service{}
	w.Expect(w.child("refusedby", service)).To(Succeed())
	names := &x509.Certificate{DNSNames: []string{"hub-refusedby." + namespace + ".svc", "hub-refusedby." + namespace + ".svc.cluster.local"}}
	nameless := w.keyPair(names, &authority)
	w.keep("hub-refusedby-issued", nameless, pemOf(authority))
	w.setCertificate("refusedby", func(status map[string]any) {
		delete(status, "lastFailureTime")
		says(status, "Ready", "True", "", generation)
	})
	w.lookedAt("refusedby", v1alpha1.ConditionReady, "False/IssuedUnfit")
	w.Expect(w.message("refusedby", v1alpha1.ConditionReady)).To(ContainSubstring("it is not for " + service.Spec.ClusterIP))
	for _, address := range service.Spec.ClusterIPs {
		names.IPAddresses = append(names.IPAddresses, net.ParseIP(address))
	}
	good := w.keyPair(names, &authority)
	w.keep("hub-refusedby-issued", good, "")
	w.Eventually(func() string {
		w.pokeHub("refusedby")
		return w.message("refusedby", v1alpha1.ConditionReady)
	}).WithPolling(200 * time.Millisecond).Should(ContainSubstring("no certificate authority"))
	w.Expect(w.get("refusedby").Status.Certificate.CABundle).To(BeEmpty())

	w.keep("hub-refusedby-issued", good, pemOf(authority))
	w.Eventually(func() string {
		w.pokeHub("refusedby")
		if entry := w.entry("refusedby"); entry != nil {
			return entry.CABundle
		}
		return ""
	}).WithPolling(200 * time.Millisecond).Should(Equal(pemOf(authority)))
	w.reportAll()
	w.lookedAt("refusedby", v1alpha1.ConditionReady, "True/Ready")
	w.Expect(w.shows("refusedby", pemOf(authority))).To(Succeed())

	w.setCertificate("refusedby", func(status map[string]any) {
		status["renewalTime"] = time.Now().Add(-100 * time.Hour).UTC().Format(time.RFC3339)
		status["notAfter"] = time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
		status["lastFailureTime"] = time.Now().UTC().Format(time.RFC3339)
	})
	w.lookedAt("refusedby", v1alpha1.ConditionCertificateReady, "False/NotRenewed")
	w.Expect(w.condition("refusedby", v1alpha1.ConditionReady)()).To(Equal("True/Ready"))
	w.Expect(w.shows("refusedby", pemOf(authority))).To(Succeed(), "it goes on with what it has")

	w.damage("refusedby")
	w.Eventually(func() error { w.pokeHub("refusedby"); return w.shows("refusedby", pemOf(authority)) }).
		WithPolling(200*time.Millisecond).Should(Succeed(), "it is copied again")
}

// damage takes away what a hub shows.
func (w *world) damage(hub string) {
	w.t.Helper()
	w.Expect(k8s.Delete(ctxOf(), &corev1.Secret{ObjectMeta: named("hub-" + hub + "-tls")}, client.GracePeriodSeconds(0))).To(Succeed())
}
