package envtest

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/registryhub/registryhub/api/v1alpha1"
)

func TestTaintedNodesAreFreedOnceWired(t *testing.T) {
	w := begin(t)
	w.Expect(applyManifests(t.Context(), "startup-taint/cluster-role.yaml")).To(Succeed())
	const timeout = 8 * time.Second
	restart(t, "startupTaint: {timeout: 8s}")
	t.Cleanup(func() { restart(t) })

	w.taintedNode("before-any-hub")
	w.agent("before-any-hub")
	w.Eventually(w.taints("before-any-hub")).Should(SatisfyAll(ContainElement("another"), Not(ContainElement(v1alpha1.TaintNotWired))), "no hub: nothing to wait for")
	w.create(hubFor("tainted", "tainted.example", ephemeral))
	w.ready("tainted")

	w.taintedNode("wired")
	w.taintedNode("overdue")
	w.agent("wired")
	w.Consistently(w.taints("wired")).Should(ContainElements(v1alpha1.TaintNotWired, "another"))
	w.report("wired")
	w.Eventually(w.taints("wired")).Should(SatisfyAll(ContainElement("another"), Not(ContainElement(v1alpha1.TaintNotWired))), "its own taint goes, and no other")
	w.Expect(w.taints("overdue")()).To(ContainElement(v1alpha1.TaintNotWired))
	w.Eventually(w.taints("overdue")).WithTimeout(2*timeout).Should(SatisfyAll(ContainElement("another"), Not(ContainElement(v1alpha1.TaintNotWired))), "a node that is never wired is freed too")
	w.Eventually(func() []string { return w.eventsOf("overdue") }).Should(ContainElement(v1alpha1.ReasonNotWiredInTime))
	w.Expect(w.eventsOf("wired")).NotTo(ContainElement(v1alpha1.ReasonNotWiredInTime))
}

// taintedNode registers a node with the start-up taint, and with one of somebody else.
func (w *world) taintedNode(name string) {
	w.t.Helper()
	w.Expect(k8s.Create(w.t.Context(), &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{corev1.LabelOSStable: "linux"}},
		Spec: corev1.NodeSpec{Taints: []corev1.Taint{
			{Key: v1alpha1.TaintNotWired, Effect: corev1.TaintEffectNoSchedule}, {Key: "another", Effect: corev1.TaintEffectNoSchedule},
		}},
	})).To(Succeed())
	w.t.Cleanup(func() { w.removeNode(name) })
	w.setReady(name, corev1.ConditionTrue, time.Hour)
}

func (w *world) taints(node string) func() []string {
	return func() []string {
		found := &corev1.Node{}
		w.Expect(k8s.Get(ctxOf(), client.ObjectKey{Name: node}, found)).To(Succeed())
		var keys []string
		for _, taint := range found.Spec.Taints {
			keys = append(keys, taint.Key)
		}
		return keys
	}
}

// eventsOf are the reasons of what was told of a node.
func (w *world) eventsOf(node string) []string {
	list := &eventsv1.EventList{}
	w.Expect(k8s.List(ctxOf(), list)).To(Succeed())
	var reasons []string
	for _, event := range list.Items {
		if event.Regarding.Kind == "Node" && event.Regarding.Name == node {
			reasons = append(reasons, event.Reason)
		}
	}
	return reasons
}
