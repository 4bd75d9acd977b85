package envtest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
)

// proxy plays what runs in a hub's Pod. Left alone it has the hub's ConfigMap in force as soon as it changes.
type proxy struct {
	hub string

	mu      sync.Mutex
	held    *configv1alpha1.ProxyReport // nil: left alone
	store   configv1alpha1.StoreReport
	prewarm *configv1alpha1.PrewarmReport
	figures func() *configv1alpha1.ProxyFigures // nil: older than figures are
	asked   int

	identities *configv1alpha1.IdentitiesReport
}

// proxy makes a hub's Pod, with a proxy that answers at its address; it goes when the test ends. What the proxy says from its
// first answer on is settled before the Pod is there: a Pod that serves with what it should is asked again a minute later.
func (w *world) proxy(hub string, says ...func(*proxy)) *proxy {
	w.t.Helper()
	p := &proxy{hub: hub}
	for _, say := range says {
		say(p)
	}
	server := httptest.NewServer(http.HandlerFunc(p.answer))
	w.t.Cleanup(server.Close)
	at, err := netip.ParseAddrPort(strings.TrimPrefix(server.URL, "http://"))
	w.Expect(err).NotTo(HaveOccurred())
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: "hub-" + hub + "-pod",
			Labels: map[string]string{"app.kubernetes.io/name": "registryhub", "app.kubernetes.io/component": "proxy", v1alpha1.LabelHub: hub},
		},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "proxy", Image: image, Ports: []corev1.ContainerPort{{Name: "diagnostics", ContainerPort: int32(at.Port())}},
		}}},
	}
	w.Expect(k8s.Create(w.t.Context(), pod)).To(Succeed())
	w.t.Cleanup(func() {
		w.Expect(client.IgnoreNotFound(k8s.Delete(ctxOf(), pod, client.GracePeriodSeconds(0)))).To(Succeed())
	})
	pod.Status.PodIP = at.Addr().String()
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	w.Expect(k8s.Status().Update(w.t.Context(), pod)).To(Succeed())
	return p
}

// proxyUnlessThere makes a hub's Pod, unless the test has made it.
func (w *world) proxyUnlessThere(hub string) {
	w.t.Helper()
	if apierrors.IsNotFound(k8s.Get(ctxOf(), client.ObjectKeyFromObject(w.pod(hub)), &corev1.Pod{})) {
		w.proxy(hub)
	}
}

func (*world) pod(hub string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: named("hub-" + hub + "-pod")}
}

func (p *proxy) answer(response http.ResponseWriter, request *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	report := configv1alpha1.ProxyReport{InForce: p.wanted()}
	if p.held != nil {
		report = *p.held
	}
	report.Store, report.Prewarm, report.Identities = p.store, p.prewarm, p.identities
	if p.figures != nil {
		report.Figures = p.figures()
	}
	p.asked++
	if request.URL.Path != "/configz" || report.InForce == "" {
		response.WriteHeader(http.StatusNotFound)
		return
	}
	_ = json.NewEncoder(response).Encode(report)
}

// wanted is the hash of what is in the hub's ConfigMap; empty while there is none.
func (p *proxy) wanted() string {
	configMap := &corev1.ConfigMap{}
	if err := k8s.Get(ctxOf(), client.ObjectKey{Namespace: namespace, Name: "hub-" + p.hub}, configMap); err != nil {
		return ""
	}
	return configv1alpha1.Hash([]byte(configMap.Data["config.yaml"]))
}

// hold keeps what is in force, whatever the ConfigMap says from now on.
func (p *proxy) hold() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = &configv1alpha1.ProxyReport{InForce: p.wanted()}
}

// refuse refuses what is in the ConfigMap now; what was held is in force.
func (p *proxy) refuse(reason string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held.Refused = &configv1alpha1.RefusedConfiguration{Hash: p.wanted(), Reason: reason}
}

// take takes what is in the ConfigMap into force, now and later.
func (p *proxy) take() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = nil
}

// silence answers 404 from now on.
func (p *proxy) silence() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = &configv1alpha1.ProxyReport{}
}

// finds its store to be like that.
func (p *proxy) finds(store configv1alpha1.StoreReport) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.store = store
}

// identifies those who show a token of the cluster, unless there is a problem.
func (p *proxy) identifies(problem string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.identities = &configv1alpha1.IdentitiesReport{Problem: problem}
}

func found(store configv1alpha1.StoreReport) func(*proxy) { return func(p *proxy) { p.finds(store) } }
