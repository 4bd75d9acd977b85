package envtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/hack/cluster/assets"
)

// certManager is cert-manager as its Go module has it.
type certManager struct{ binary, definitions string }

func (w *world) certManager() certManager {
	w.t.Helper()
	cache, err := assets.Find(func(format string, args ...any) { w.t.Logf(format, args...) })
	w.Expect(err).NotTo(HaveOccurred())
	var c certManager
	c.binary, c.definitions, err = cache.CertManager(ctxOf())
	w.Expect(err).NotTo(HaveOccurred())
	return c
}

// define installs cert-manager's kinds, until the test ends.
func (w *world) define(c certManager) {
	w.t.Helper()
	options := envtest.CRDInstallOptions{Paths: []string{c.definitions}, ErrorIfPathMissing: true}
	_, err := envtest.InstallCRDs(cluster, options)
	w.Expect(err).NotTo(HaveOccurred())
	w.t.Cleanup(func() { w.Expect(envtest.UninstallCRDs(cluster, options)).To(Succeed()) })
}

// allow gives the manager the rights of the overlay, until the test ends.
func (w *world) allow() {
	w.t.Helper()
	for _, file := range []string{"cert-manager/role.yaml", "cert-manager/cluster-role.yaml"} {
		w.Expect(applyManifests(w.t.Context(), file)).To(Succeed())
		w.t.Cleanup(func() { w.Expect(removeManifest(file)).To(Succeed()) })
	}
}

func removeManifest(path string) error {
	objects, err := readManifest(path)
	if err != nil {
		return err
	}
	for _, object := range objects {
		if err := k8s.Delete(ctxOf(), object); err != nil {
			return err
		}
	}
	return nil
}

// run runs cert-manager's controllers, until the test ends.
func (w *world) run(c certManager) {
	w.t.Helper()
	directory := w.t.TempDir()
	kubeconfig := filepath.Join(directory, "kubeconfig")
	w.Expect(clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters: map[string]*clientcmdapi.Cluster{"c": {Server: cluster.Host, CertificateAuthorityData: cluster.CAData}},
		AuthInfos: map[string]*clientcmdapi.AuthInfo{"a": {
			ClientCertificateData: cluster.CertData, ClientKeyData: cluster.KeyData, Token: cluster.BearerToken,
		}},
		Contexts:       map[string]*clientcmdapi.Context{"x": {Cluster: "c", AuthInfo: "a"}},
		CurrentContext: "x",
	}, kubeconfig)).To(Succeed())
	log, err := os.Create(filepath.Join(directory, "log"))
	w.Expect(err).NotTo(HaveOccurred())
	process := exec.Command(c.binary, "-kubeconfig", kubeconfig, "-cluster-resource-namespace", namespace)
	process.Stdout, process.Stderr = log, log
	process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	w.Expect(process.Start()).To(Succeed())
	w.t.Cleanup(func() {
		_ = process.Process.Kill()
		_ = process.Wait()
		if w.t.Failed() {
			said, _ := os.ReadFile(log.Name())
			w.t.Logf("cert-manager said:\n%s", said[max(0, len(said)-8<<10):])
		}
		_ = log.Close()
	})
}

// theirs is an object of cert-manager's.
func theirs(kind, in, name string) *unstructured.Unstructured {
	object := &unstructured.Unstructured{}
	object.SetAPIVersion("cert-manager.io/v1")
	object.SetKind(kind)
	object.SetNamespace(in)
	object.SetName(name)
	return object
}

func (w *world) createTheirs(kind, in, name string, spec map[string]any) *unstructured.Unstructured {
	w.t.Helper()
	object := theirs(kind, in, name)
	object.Object["spec"] = spec
	w.Expect(k8s.Create(ctxOf(), object)).To(Succeed())
	w.t.Cleanup(func() { w.Expect(client.IgnoreNotFound(k8s.Delete(ctxOf(), object))).To(Succeed()) })
	return object
}

// certificate is the one that a hub's issuer is asked for; nil for none.
func (w *world) certificate(hub string) *unstructured.Unstructured {
	object := theirs("Certificate", namespace, "hub-"+hub)
	err := k8s.Get(ctxOf(), client.ObjectKeyFromObject(object), object)
	if apierrors.IsNotFound(err) {
		return nil
	}
	w.Expect(err).NotTo(HaveOccurred())
	return object
}

// setCertificate plays cert-manager's controllers.
func (w *world) setCertificate(hub string, edit func(status map[string]any)) {
	w.t.Helper()
	w.Eventually(func() error {
		object := w.certificate(hub)
		if object == nil {
			return fmt.Errorf("there is no Certificate of %s", hub)
		}
		status, _, _ := unstructured.NestedMap(object.Object, "status")
		if status == nil {
			status = map[string]any{}
		}
		edit(status)
		object.Object["status"] = status
		return k8s.Status().Update(ctxOf(), object)
	}).Should(Succeed())
}

// says sets a condition of cert-manager's.
func says(status map[string]any, kind, value, message string, generation int64) {
	var kept []any
	list, _ := status["conditions"].([]any)
	for _, item := range list {
		if condition, _ := item.(map[string]any); condition["type"] != kind {
			kept = append(kept, item)
		}
	}
	status["conditions"] = append(kept, map[string]any{
		"type": kind, "status": value, "reason": "Test", "message": message, "observedGeneration": generation,
		"lastTransitionTime": time.Now().UTC().Format(time.RFC3339),
	})
}

// lookedAt has the manager look at a hub until a condition of it says this.
func (w *world) lookedAt(hub, kind, want string) {
	w.t.Helper()
	w.Eventually(func() string {
		w.pokeHub(hub)
		return w.condition(hub, kind)()
	}).WithPolling(200*time.Millisecond).WithTimeout(time.Minute).Should(Equal(want), func() string {
		return fmt.Sprintf("%s: %+v\n%v", hub, w.get(hub).Status, w.certificate(hub))
	})
}

// keyPair makes a certificate and its key, in PEM. Without a parent it signs itself.
func (w *world) keyPair(template *x509.Certificate, parent *tls.Certificate) tls.Certificate {
	w.t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	w.Expect(err).NotTo(HaveOccurred())
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	by, key := template, any(private)
	if parent != nil {
		by, key = parent.Leaf, parent.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by, private.Public(), key)
	w.Expect(err).NotTo(HaveOccurred())
	leaf, err := x509.ParseCertificate(der)
	w.Expect(err).NotTo(HaveOccurred())
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private, Leaf: leaf}
}

// authority makes a certificate authority.
func (w *world) authority(name string) tls.Certificate {
	w.t.Helper()
	return w.keyPair(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, nil)
}

func pemOf(pair tls.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]}))
}

// keep puts a pair into a Secret, as cert-manager has it.
func (w *world) keep(name string, pair tls.Certificate, authority string) {
	w.t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	w.Expect(err).NotTo(HaveOccurred())
	data := map[string][]byte{
		corev1.TLSCertKey: []byte(pemOf(pair)), corev1.TLSPrivateKeyKey: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
	}
	if authority != "" {
		data["ca.crt"] = []byte(authority)
	}
	secret := w.held(name)
	if secret.Name != "" {
		w.byHand(secret, func() { secret.Data = data })
		return
	}
	secret = &corev1.Secret{ObjectMeta: named(name), Type: corev1.SecretTypeTLS, Data: data}
	w.Expect(k8s.Create(ctxOf(), secret)).To(Succeed())
	w.t.Cleanup(func() { w.Expect(client.IgnoreNotFound(k8s.Delete(ctxOf(), secret))).To(Succeed()) })
}

// shows is why who trusts these authorities would refuse what a hub shows; nil for nothing.
func (w *world) shows(hub, authorities string) error {
	pair, err := tls.X509KeyPair(w.held("hub-" + hub + "-tls").Data[corev1.TLSCertKey], w.held("hub-" + hub + "-tls").Data[corev1.TLSPrivateKeyKey])
	if err != nil {
		return err
	}
	service := &corev1.Service{}
	if err := w.child(hub, service); err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(authorities))
	for _, host := range append(service.Spec.ClusterIPs, "hub-"+hub+"."+namespace+".svc") {
		if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: host}); err != nil {
			return err
		}
	}
	return nil
}

// by has an issuer of this kind issue a hub's certificate.
func by(kind, name string) func(*v1alpha1.RegistryHub) {
	return func(hub *v1alpha1.RegistryHub) {
		hub.Spec.Endpoint.Certificate = &v1alpha1.CertificateSpec{IssuerRef: v1alpha1.IssuerReference{Kind: kind, Name: name}}
	}
}
