package envtest

import (
	"testing"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/registryhub/registryhub/api/v1alpha1"
)

func (w *world) gone(name string) func() bool {
	return func() bool {
		return apierrors.IsNotFound(k8s.Get(ctxOf(), client.ObjectKey{Name: name}, &v1alpha1.RegistryHub{}))
	}
}

// goneOrGoing says whether a child is deleted; a claim waits for its Pods with a finalizer of Kubernetes'.
func (w *world) goneOrGoing(name string, child client.Object) bool {
	err := w.child(name, child)
	return apierrors.IsNotFound(err) || err == nil && child.GetDeletionTimestamp() != nil
}

func (w *world) childrenGone(name string) {
	w.t.Helper()
	for _, child := range []client.Object{&appsv1.Deployment{}, &corev1.Service{}, &corev1.ConfigMap{}, &corev1.PersistentVolumeClaim{}} {
		w.Expect(w.goneOrGoing(name, child)).To(BeTrue(), "%T", child)
	}
}

func TestADeletedHubLeavesTheNodesFirst(t *testing.T) {
	for _, propagation := range []metav1.DeletionPropagation{metav1.DeletePropagationBackground, metav1.DeletePropagationForeground, metav1.DeletePropagationOrphan} {
		t.Run(string(propagation), func(t *testing.T) {
			w := begin(t)
			w.twoNodes()
			w.node("n3-has-no-agent")
			w.node("n4-is-not-ready")
			w.agent("n4-is-not-ready")
			w.setReady("n4-is-not-ready", corev1.ConditionFalse, time.Hour)
			hub := w.create(hubFor("leaving", "leaving.example"))
			w.ready("leaving")

			w.Expect(k8s.Delete(t.Context(), hub, client.PropagationPolicy(propagation))).To(Succeed())
			w.Eventually(w.hosts("leaving")).Should(BeEmpty(), "the nodes are told first")
			w.becomes("leaving", v1alpha1.ConditionReady, "False/Deleting")
			w.isKstatus("leaving", status.TerminatingStatus)
			w.Eventually(func() string { return w.message("leaving", v1alpha1.ConditionReady) }).Should(HaveSuffix("still led to it: node n1, node n2"))
			w.report("n1")
			w.Eventually(func() string { return w.message("leaving", v1alpha1.ConditionReady) }).Should(HaveSuffix("still led to it: node n2"))
			w.Consistently(func() error { return w.child("leaving", &corev1.Service{}) }).Should(Succeed(), "n2 may still use it")
			w.Expect(w.child("leaving", &appsv1.Deployment{})).To(Succeed())

			w.report("n2")
			w.Eventually(w.goneUnlessPropagated("leaving", propagation)).Should(BeTrue())
			w.childrenGone("leaving")
			w.dropFinalizers("leaving")
		})
	}
}

// goneUnlessPropagated: foreground and orphan leave a finalizer for the garbage collector, which is not here.
func (w *world) goneUnlessPropagated(name string, propagation metav1.DeletionPropagation) func() bool {
	if propagation == metav1.DeletePropagationBackground {
		return w.gone(name)
	}
	return func() bool {
		finalizers := w.get(name).Finalizers
		return len(finalizers) == 1 && finalizers[0] != v1alpha1.Finalizer
	}
}

func (w *world) dropFinalizers(name string) {
	hub := &v1alpha1.RegistryHub{ObjectMeta: metav1.ObjectMeta{Name: name}}
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`))
	w.Expect(client.IgnoreNotFound(k8s.Patch(ctxOf(), hub, patch))).To(Succeed())
}

func TestADeletedHubIsNotHeldForEver(t *testing.T) {
	w := begin(t)
	w.twoNodes()
	hub := w.create(hubFor("patient", "patient.example", ephemeral))
	w.ready("patient")
	w.Expect(k8s.Delete(t.Context(), hub)).To(Succeed())
	begun := time.Now()
	w.Eventually(w.gone("patient")).WithTimeout(3 * patience).Should(BeTrue())
	w.Expect(time.Since(begun)).To(BeNumerically(">=", patience), "it waited as long as it was told to")
	w.childrenGone("patient")
}

func TestADeletedHubWaitsAsLongWhateverTheTimeIs(t *testing.T) {
	const patience = 3 * time.Second
	for name, skew := range map[string]time.Duration{
		"the manager's clock is an hour ahead of the API server's": time.Hour,
		"the manager's clock is an hour behind":                    -time.Hour,
	} {
		t.Run(name, func(t *testing.T) {
			w := begin(t)
			w.manageIn(surroundings{skew: skew, patience: patience})
			w.twoNodes()
			hub := w.create(hubFor("askew", "askew.example", ephemeral))
			w.ready("askew")
			begun := time.Now()
			w.Expect(k8s.Delete(t.Context(), hub)).To(Succeed())
			w.Eventually(w.gone("askew")).WithTimeout(time.Minute).Should(BeTrue())
			w.Expect(time.Since(begun)).To(BeNumerically(">=", patience))
		})
	}
}

func TestADeletionCanBeForced(t *testing.T) {
	w := begin(t)
	w.twoNodes()
	hub := w.create(hubFor("forced", "forced.example", ephemeral))
	w.ready("forced")
	w.Expect(k8s.Delete(t.Context(), hub)).To(Succeed())
	w.becomes("forced", v1alpha1.ConditionReady, "False/Deleting")
	begun := time.Now()
	w.change("forced", func(hub *v1alpha1.RegistryHub) {
		hub.Annotations = map[string]string{v1alpha1.AnnotationForceDelete: "true"}
	})
	w.Eventually(w.gone("forced")).Should(BeTrue())
	w.Expect(time.Since(begun)).To(BeNumerically("<", patience/2))
}

func TestAHubThatNoNodeWasToldOfGoesAtOnce(t *testing.T) {
	w := begin(t)
	w.twoNodes()
	hub := w.create(hubFor("early", "early.example"))
	w.Eventually(func() error { return w.child("early", &corev1.Service{}) }).Should(Succeed())
	w.Expect(k8s.Delete(t.Context(), hub)).To(Succeed())
	w.Eventually(w.gone("early")).WithTimeout(patience / 2).Should(BeTrue())
	w.childrenGone("early")
}

func TestChildrenOfAHubWhoseFinalizerWasTakenAwayGo(t *testing.T) {
	w := begin(t)
	hub := w.create(hubFor("orphans", "orphans.example", ephemeral))
	w.ready("orphans")
	w.Expect(operator.stop()).To(Succeed())
	w.dropFinalizers("orphans")
	w.Expect(k8s.Delete(t.Context(), hub)).To(Succeed())
	w.Expect(w.gone("orphans")()).To(BeTrue())
	var err error
	operator, err = startOperator(operator.log)
	w.Expect(err).NotTo(HaveOccurred())
	w.Eventually(func() bool { return apierrors.IsNotFound(w.child("orphans", &appsv1.Deployment{})) }).Should(BeTrue())
	w.Eventually(w.hosts("orphans")).Should(BeEmpty())
}
