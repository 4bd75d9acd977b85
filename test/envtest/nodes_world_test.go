package envtest

import (
	"context"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
)

// ctxOf is a context that outlives the test, for cleaning up after it.
func ctxOf() context.Context { return context.Background() }

// node adds a Linux node that has been Ready for long, and takes it away when the test ends.
func (w *world) node(name string, labels ...string) {
	w.t.Helper()
	all := map[string]string{corev1.LabelOSStable: "linux"}
	for i := 0; i < len(labels); i += 2 {
		all[labels[i]] = labels[i+1]
	}
	w.Expect(k8s.Create(w.t.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: all}})).To(Succeed())
	w.t.Cleanup(func() { w.removeNode(name) })
	w.setReady(name, corev1.ConditionTrue, time.Hour)
}

// setReady plays the kubelet: the node is Ready, or not, since a while.
func (w *world) setReady(name string, ready corev1.ConditionStatus, since time.Duration) {
	w.t.Helper()
	w.Eventually(func() error {
		node := &corev1.Node{}
		if err := k8s.Get(ctxOf(), client.ObjectKey{Name: name}, node); err != nil {
			return err
		}
		node.Status.Conditions = []corev1.NodeCondition{{
			Type: corev1.NodeReady, Status: ready, LastTransitionTime: metav1.NewTime(time.Now().Add(-since)),
		}}
		return k8s.Status().Update(ctxOf(), node)
	}).Should(Succeed())
}

// agent plays the DaemonSet's controller: an agent's Pod on the node.
func (w *world) agent(node string) {
	w.t.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: "agent-" + node,
			Labels: map[string]string{"app.kubernetes.io/name": "registryhub", "app.kubernetes.io/component": "node-agent"},
		},
		Spec: corev1.PodSpec{NodeName: node, ServiceAccountName: configv1alpha1.NodeAgentName, Containers: []corev1.Container{{Name: "node-agent", Image: image}}},
	}
	w.Expect(k8s.Create(w.t.Context(), pod)).To(Succeed())
	w.t.Cleanup(func() { w.removeAgent(node) })
}

func (w *world) removeAgent(node string) {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "agent-" + node}}
	w.Expect(client.IgnoreNotFound(k8s.Delete(ctxOf(), pod, client.GracePeriodSeconds(0)))).To(Succeed())
}

// removeNode removes a node and plays the garbage collector for what it owned.
func (w *world) removeNode(name string) {
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
	w.Expect(client.IgnoreNotFound(k8s.Delete(ctxOf(), node))).To(Succeed())
	w.Eventually(func() bool {
		mirror := &v1alpha1.NodeMirror{ObjectMeta: metav1.ObjectMeta{Name: name}}
		return apierrors.IsNotFound(k8s.Delete(ctxOf(), mirror))
	}).Should(BeTrue())
}

// report plays a node's agent: the present revision is in force, with these exceptions.
func (w *world) report(node string, exceptions ...v1alpha1.NodeException) {
	w.t.Helper()
	w.reportRevision(node, w.nodeConfiguration().Revision, exceptions...)
}

func (w *world) reportRevision(node string, revision int64, exceptions ...v1alpha1.NodeException) {
	w.t.Helper()
	w.Eventually(func() error {
		mirror := &v1alpha1.NodeMirror{}
		if err := k8s.Get(ctxOf(), client.ObjectKey{Name: node}, mirror); err != nil {
			return err
		}
		mirror.Status = v1alpha1.NodeMirrorStatus{Revision: revision, Exceptions: exceptions}
		return k8s.Status().Update(ctxOf(), mirror)
	}).Should(Succeed())
}

// reportAll plays the agents of all nodes that have one.
func (w *world) reportAll() {
	w.t.Helper()
	pods := &corev1.PodList{}
	agents := client.MatchingLabels{"app.kubernetes.io/component": "node-agent"}
	w.Expect(k8s.List(ctxOf(), pods, client.InNamespace(namespace), agents)).To(Succeed())
	for i := range pods.Items {
		w.report(pods.Items[i].Spec.NodeName)
	}
}

// twoNodes adds nodes n1 and n2, each with an agent.
func (w *world) twoNodes() {
	w.t.Helper()
	for _, name := range []string{"n1", "n2"} {
		w.node(name)
		w.agent(name)
	}
}
