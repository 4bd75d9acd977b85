package envtest

import (
	"testing"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
)

func withoutFallback(hub *v1alpha1.RegistryHub) { hub.Spec.Nodes.Fallback = v1alpha1.NodeFallbackNone }

// fallback is what the nodes are told of a hub; "" stands for the upstream.
func (w *world) fallback(name string) func() configv1alpha1.NodeFallback {
	return func() configv1alpha1.NodeFallback {
		if entry := w.entry(name); entry != nil {
			return entry.Fallback
		}
		return "no entry"
	}
}

// essential makes a DaemonSet that nodes cannot do without, in somebody else's namespace.
func (w *world) essential(name, image string) {
	w.t.Helper()
	labels := map[string]string{"app": name}
	daemonSet := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: name}}
	daemonSet.Spec.Selector = &metav1.LabelSelector{MatchLabels: labels}
	daemonSet.Spec.Template.Labels = labels
	daemonSet.Spec.Template.Spec = corev1.PodSpec{PriorityClassName: "system-node-critical", Containers: []corev1.Container{{Name: "main", Image: image}}}
	w.Expect(k8s.Create(w.t.Context(), daemonSet)).To(Succeed())
	w.t.Cleanup(func() { w.removeEssential(name) })
}

func (w *world) removeEssential(name string) {
	daemonSet := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: name}}
	w.Expect(client.IgnoreNotFound(k8s.Delete(ctxOf(), daemonSet))).To(Succeed())
}

func (w *world) giveImage(name, image string) {
	w.t.Helper()
	w.Eventually(func() error {
		daemonSet := &appsv1.DaemonSet{}
		if err := k8s.Get(ctxOf(), client.ObjectKey{Namespace: "kube-system", Name: name}, daemonSet); err != nil {
			return err
		}
		daemonSet.Spec.Template.Spec.Containers[0].Image = image
		return k8s.Update(ctxOf(), daemonSet)
	}).Should(Succeed())
}

func TestTheNodesAreToldOfNoFallbackAndOfOneAgain(t *testing.T) {
	w := begin(t)
	w.twoNodes()
	w.create(hubFor("alone", "alone.example", ephemeral))
	w.ready("alone")
	w.Expect(w.fallback("alone")()).To(BeEmpty())
	w.change("alone", withoutFallback)
	w.Eventually(w.fallback("alone")).Should(Equal(configv1alpha1.NodeFallbackNone))
	w.reportAll()
	w.becomes("alone", v1alpha1.ConditionReady, "True/Ready")
	w.change("alone", func(hub *v1alpha1.RegistryHub) { hub.Spec.Nodes.Fallback = v1alpha1.NodeFallbackUpstream })
	w.Eventually(w.fallback("alone")).Should(BeEmpty())
	w.reportAll()
	w.becomes("alone", v1alpha1.ConditionReady, "True/Ready")
}

func TestNoFallbackIsRefusedWhileHubsNeedAnImageOfTheHost(t *testing.T) {
	w := begin(t)
	w.twoNodes()
	w.essential("proxy", "needed.example/proxy:v1")
	w.create(hubFor("needed", "needed.example", ephemeral, withoutFallback))
	w.becomes("needed", v1alpha1.ConditionStalled, "True/FallbackRefused")
	w.isKstatus("needed", status.FailedStatus)
	w.Expect(w.message("needed", v1alpha1.ConditionReady)).To(HaveSuffix("needed.example/proxy:v1 of DaemonSet kube-system/proxy"))
	w.serve("needed")
	w.Eventually(w.fallback("needed")).Should(BeEmpty(), "the nodes may fall back meanwhile")
	w.reportAll()
	w.becomes("needed", v1alpha1.ConditionNodesWired, "True/NodesWired")
	w.becomes("needed", v1alpha1.ConditionReady, "False/FallbackRefused")

	w.giveImage("proxy", "elsewhere.example/proxy:v1")
	w.Eventually(w.fallback("needed")).Should(Equal(configv1alpha1.NodeFallbackNone))
	w.reportAll()
	w.becomes("needed", v1alpha1.ConditionReady, "True/Ready")

	w.giveImage("proxy", "needed.example/proxy:v2")
	w.becomes("needed", v1alpha1.ConditionStalled, "True/FallbackRefused")
	w.Eventually(w.fallback("needed")).Should(BeEmpty())

	w.removeEssential("proxy")
	w.Eventually(w.fallback("needed")).Should(Equal(configv1alpha1.NodeFallbackNone))
	w.reportAll()
	w.becomes("needed", v1alpha1.ConditionReady, "True/Ready")
}

func TestNoFallbackIsRefusedForTheOperatorsOwnImage(t *testing.T) {
	w := begin(t)
	w.create(hubFor("own-image", "registry.example.com", ephemeral, withoutFallback))
	w.becomes("own-image", v1alpha1.ConditionStalled, "True/FallbackRefused")
	w.Expect(w.message("own-image", v1alpha1.ConditionReady)).To(ContainSubstring(image + " of the operator's proxies and agents"))
	w.change("own-image", func(hub *v1alpha1.RegistryHub) { hub.Spec.Nodes.Fallback = v1alpha1.NodeFallbackUpstream })
	w.becomes("own-image", v1alpha1.ConditionReady, "False/Progressing")
}

func TestANodeThatRefusesNoFallbackStallsTheHub(t *testing.T) {
	w := begin(t)
	w.twoNodes()
	w.create(hubFor("sandbox", "sandbox.example", ephemeral, withoutFallback))
	w.ready("sandbox")
	w.report("n2", v1alpha1.NodeException{Hub: "sandbox", Host: "sandbox.example", Reason: v1alpha1.NodeReasonFallbackRefused, Message: "its sandbox comes from there"})
	w.becomes("sandbox", v1alpha1.ConditionStalled, "True/FallbackRefused")
	w.Expect(w.message("sandbox", v1alpha1.ConditionStalled)).To(Equal("node n2: its sandbox comes from there"))
	w.report("n2")
	w.becomes("sandbox", v1alpha1.ConditionReady, "True/Ready")
}
