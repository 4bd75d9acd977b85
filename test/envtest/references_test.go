package envtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"testing"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/registryhub/registryhub/api/v1alpha1"
)

func (w *world) secret(name string, data map[string][]byte) *corev1.Secret {
	secret := &corev1.Secret{ObjectMeta: named(name), Data: data}
	w.Expect(k8s.Create(ctxOf(), secret)).To(Succeed())
	w.t.Cleanup(func() { _ = k8s.Delete(ctxOf(), secret) })
	return secret
}

func (w *world) configMap(name string, data map[string]string) *corev1.ConfigMap {
	configMap := &corev1.ConfigMap{ObjectMeta: named(name), Data: data}
	w.Expect(k8s.Create(ctxOf(), configMap)).To(Succeed())
	w.t.Cleanup(func() { _ = k8s.Delete(ctxOf(), configMap) })
	return configMap
}

func quantities(pairs ...string) corev1.ResourceList {
	list := corev1.ResourceList{}
	for i := 0; i < len(pairs); i += 2 {
		list[corev1.ResourceName(pairs[i])] = resource.MustParse(pairs[i+1])
	}
	return list
}

// certificate is a CA certificate in PEM, another one at each call.
func certificate(t *testing.T) string {
	t.Helper()
	pem, _ := keyPair(t)
	return string(pem)
}

// keyPair is such a certificate and its key.
func keyPair(t *testing.T) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})
}

func TestACABundleIsAwaitedAndItsChangeLeavesThePodAlone(t *testing.T) {
	w := begin(t)
	w.create(hubFor("bundle", "bundle.example", ephemeral, func(hub *v1alpha1.RegistryHub) {
		hub.Spec.Mirror.Upstreams = []v1alpha1.Upstream{{
			Name: "corp", URL: "https://corp.example", CABundleRef: &v1alpha1.CABundleReference{Name: "corp-ca", Key: "corp.crt"},
		}}
	}))
	w.becomes("bundle", v1alpha1.ConditionProxyAvailable, "False/ReferenceNotFound")
	w.becomes("bundle", v1alpha1.ConditionReady, "False/ReferenceNotFound")
	w.isKstatus("bundle", status.InProgressStatus)
	w.Expect(w.message("bundle", v1alpha1.ConditionReady)).To(ContainSubstring("caBundleRef of upstream corp: ConfigMap corp-ca in namespace registryhub-system does not exist"))
	w.Expect(apierrors.IsNotFound(w.child("bundle", &appsv1.Deployment{}))).To(BeTrue(), "no Pod that could not start")

	configMap := w.configMap("corp-ca", map[string]string{"other": "x"})
	w.Eventually(func() string { return w.message("bundle", v1alpha1.ConditionReady) }).Should(ContainSubstring("has no key corp.crt"))
	w.byHand(configMap, func() { configMap.Data = map[string]string{"corp.crt": "no PEM"} })
	w.Eventually(func() string { return w.message("bundle", v1alpha1.ConditionReady) }).Should(ContainSubstring("has no PEM certificate in key corp.crt"))
	w.byHand(configMap, func() { configMap.Data["corp.crt"] = certificate(t) })
	w.ready("bundle")

	template := w.template("bundle")()
	w.byHand(configMap, func() { configMap.Data["corp.crt"] = certificate(t) })
	w.Consistently(w.template("bundle")).Should(Equal(template), "the proxy follows the file")
	w.becomes("bundle", v1alpha1.ConditionReady, "True/Ready")
}

func TestCredentialsAreAwaited(t *testing.T) {
	w := begin(t)
	w.secret("incomplete", map[string][]byte{"username": []byte("u")})
	w.secret("malformed", map[string][]byte{".dockerconfigjson": []byte("{")})
	w.secret("good", map[string][]byte{".dockerconfigjson": []byte(`{"auths":{"corp.example":{"auth":"dTpw"}}}`)})
	w.secret("another", map[string][]byte{".dockerconfigjson": []byte(`{"auths":{"quay.io":{"auth":"dTpw"}}}`)})
	for name, tc := range map[string]struct{ secret, want string }{
		"missing":    {"missing", "Secret missing in namespace registryhub-system does not exist"},
		"incomplete": {"incomplete", "Secret incomplete in namespace registryhub-system has neither .dockerconfigjson nor both username and password"},
		"malformed":  {"malformed", "Secret malformed in namespace registryhub-system has a .dockerconfigjson that is not docker's config.json"},
		"another":    {"another", "Secret another in namespace registryhub-system has a .dockerconfigjson without an entry for corp.example"},
	} {
		t.Run(name, func(t *testing.T) {
			w := begin(t)
			w.create(hubFor("secret-"+name, name+".example", ephemeral, func(hub *v1alpha1.RegistryHub) {
				hub.Spec.Mirror.Upstreams = []v1alpha1.Upstream{{
					Name: "corp", URL: "https://corp.example", CredentialsSecretRef: &v1alpha1.SecretReference{Name: tc.secret},
				}}
			}))
			w.becomes("secret-"+name, v1alpha1.ConditionReady, "False/ReferenceNotFound")
			w.Expect(w.message("secret-"+name, v1alpha1.ConditionReady)).To(ContainSubstring(tc.want))
			w.change("secret-"+name, func(hub *v1alpha1.RegistryHub) {
				hub.Spec.Mirror.Upstreams[0].CredentialsSecretRef.Name = "good"
			})
			w.ready("secret-" + name)
		})
	}
}

func TestAClientCertificateIsAwaited(t *testing.T) {
	w := begin(t)
	w.secret("half-pair", map[string][]byte{"tls.crt": []byte(certificate(t))})
	w.create(hubFor("mutual", "mutual.example", ephemeral, func(hub *v1alpha1.RegistryHub) {
		hub.Spec.Mirror.Upstreams = []v1alpha1.Upstream{{
			Name: "corp", URL: "https://corp.example", ClientCertificateSecretRef: &v1alpha1.SecretReference{Name: "half-pair"},
		}}
	}))
	w.becomes("mutual", v1alpha1.ConditionReady, "False/ReferenceNotFound")
	w.Expect(w.message("mutual", v1alpha1.ConditionReady)).To(ContainSubstring("clientCertificateSecretRef of upstream corp: Secret half-pair in namespace registryhub-system has no key tls.key"))
	crt, key := keyPair(t)
	w.secret("pair", map[string][]byte{"tls.crt": crt, "tls.key": key})
	w.change("mutual", func(hub *v1alpha1.RegistryHub) {
		hub.Spec.Mirror.Upstreams[0].ClientCertificateSecretRef.Name = "pair"
	})
	w.ready("mutual")
}

func TestASecretThatAppearsIsFound(t *testing.T) {
	w := begin(t)
	w.create(hubFor("late", "late.example", ephemeral, func(hub *v1alpha1.RegistryHub) {
		hub.Spec.Mirror.Upstreams = []v1alpha1.Upstream{{
			Name: "corp", URL: "https://corp.example", CredentialsSecretRef: &v1alpha1.SecretReference{Name: "late"},
		}}
	}))
	w.becomes("late", v1alpha1.ConditionReady, "False/ReferenceNotFound")
	w.secret("late", map[string][]byte{"username": []byte("u"), "password": []byte("p")})
	w.ready("late")
}
