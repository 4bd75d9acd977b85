package envtest

import (
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/registryhub/registryhub/api/v1alpha1"
)

// reconciles is how many reconciles all controllers have made.
func (*world) reconciles() float64 { return counted("controller_runtime_reconcile_total") }

// counted is what a counter of all managers of the process has come to.
func counted(name string) float64 {
	families, err := metrics.Registry.Gather()
	if err != nil {
		panic(err)
	}
	var total float64
	for _, family := range families {
		if family.GetName() == name {
			for _, metric := range family.GetMetric() {
				total += metric.GetCounter().GetValue()
			}
		}
	}
	return total
}

// settle waits until the manager has written nothing for a second.
func (w *world) settle() {
	w.t.Helper()
	last, quietSince := writes.Load(), time.Now()
	w.Eventually(func() bool {
		if wrote := writes.Load(); wrote != last {
			last, quietSince = wrote, time.Now()
		}
		return time.Since(quietSince) > time.Second
	}).Should(BeTrue(), "the manager comes to rest")
}

// richHubs makes a hub that uses every field and one that uses few, and brings them to Ready.
func (w *world) richHubs() {
	w.t.Helper()
	w.secret("rest-credentials", map[string][]byte{"username": []byte("u"), "password": []byte("p")})
	crt, key := keyPair(w.t)
	w.secret("rest-client", map[string][]byte{"tls.crt": crt, "tls.key": key})
	w.secret("pods-proxy", map[string][]byte{"url": []byte("http://u:p@proxy.example:3128")})
	w.secret("pods-pull", map[string][]byte{".dockerconfigjson": []byte("{}")})
	w.configMap("rest-ca", map[string]string{"ca.crt": certificate(w.t)})
	w.create(hubFor("rest-full", "rest.example", func(hub *v1alpha1.RegistryHub) {
		hub.Spec.Mirror.Upstreams = []v1alpha1.Upstream{{
			Name: "one", URL: "https://one.example/prefix",
			CredentialsSecretRef:       &v1alpha1.SecretReference{Name: "rest-credentials"},
			ClientCertificateSecretRef: &v1alpha1.SecretReference{Name: "rest-client"},
			CABundleRef:                &v1alpha1.CABundleReference{Name: "rest-ca"},
		}}
		hub.Spec.Proxy = v1alpha1.ProxySpec{
			Resources:         corev1.ResourceRequirements{Limits: quantities("cpu", "1000m", "memory", "0.5Gi"), Requests: quantities("cpu", "0.1", "memory", "65536Ki")},
			NodeSelector:      map[string]string{"pool": "infra"},
			Tolerations:       []corev1.Toleration{{Key: "infra", Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute, TolerationSeconds: new(int64(0))}, {Key: "x", Value: "y"}},
			PriorityClassName: "system-cluster-critical",
		}
		podSettings(hub)
	}))
	w.create(hubFor("rest-several", "several.example", shared, func(hub *v1alpha1.RegistryHub) { hub.Spec.Proxy.Replicas = new(int32(2)) }))
	w.create(hubFor("rest-small", "small.example", ephemeral))
	w.ready("rest-full")
	w.ready("rest-small")
	w.ready("rest-several")
}

func TestAReconcileThatHasNothingToChangeWritesNothing(t *testing.T) {
	w := begin(t)
	w.twoNodes()
	w.richHubs()
	w.settle()

	configuration := &corev1.ConfigMap{ObjectMeta: named("registryhub-node-configuration")}
	w.t.Cleanup(func() { // it outlives the hubs, and other tests look at it
		untouched := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"annotations":{"touched":null},"labels":{"touched":null}}}`))
		w.Expect(k8s.Patch(ctxOf(), configuration, untouched)).To(Succeed())
	})
	statuses, wrote, made := observed.seen(), writes.Load(), w.reconciles()
	const rounds = 50
	for i := range rounds {
		before := w.reconciles()
		// Somebody else's annotations: events for every reconciler, and nothing for any to do.
		patch := client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, `{"metadata":{"annotations":{"touched":"%d"},"labels":{"touched":"%d"}}}`, i, i))
		for _, object := range []client.Object{
			&v1alpha1.RegistryHub{ObjectMeta: metav1.ObjectMeta{Name: "rest-full"}},
			&v1alpha1.RegistryHub{ObjectMeta: metav1.ObjectMeta{Name: "rest-small"}},
			&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1"}},
			&v1alpha1.NodeMirror{ObjectMeta: metav1.ObjectMeta{Name: "n1"}},
			&corev1.Service{ObjectMeta: named("hub-rest-full")},
			&policyv1.PodDisruptionBudget{ObjectMeta: named("hub-rest-several")},
			configuration,
		} {
			w.Expect(k8s.Patch(t.Context(), object, patch)).To(Succeed())
		}
		w.Eventually(w.reconciles).Should(BeNumerically(">", before+2), "the reconcilers are at it")
	}
	w.Consistently(func() int64 { return writes.Load() - wrote }).Should(BeZero(), "they send nothing but reads")
	t.Logf("%.0f reconciles, %d writes; %d statuses seen by the suite so far", w.reconciles()-made, writes.Load()-wrote, statuses)
}

func TestAManagerThatStartsAgainWritesNothing(t *testing.T) {
	w := begin(t)
	w.twoNodes()
	w.richHubs()
	w.settle()
	before, made := writes.Load(), w.reconciles()
	restart(t)
	w.Eventually(func() float64 { return w.reconciles() - made }).Should(BeNumerically(">=", 6))
	w.settle()
	w.Expect(writes.Load() - before).To(BeZero())
}
