package envtest

import (
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/registryhub/registryhub/api/v1alpha1"
)

func TestNodesAreCountedAsTheyComeAndGo(t *testing.T) {
	w := begin(t)
	w.twoNodes()
	w.create(hubFor("counted", "counted.example", ephemeral))
	w.ready("counted")
	w.Expect(w.nodes("counted")()).To(Equal("2/2"))

	// A node that comes is not counted while it is new, and the hub stays Ready.
	w.node("n3")
	w.setReady("n3", corev1.ConditionTrue, 0)
	w.agent("n3")
	w.Consistently(w.nodes("counted")).Should(Equal("2/2"))
	w.Expect(w.condition("counted", v1alpha1.ConditionReady)()).To(Equal("True/Ready"))
	w.report("n3")
	w.Eventually(w.nodes("counted")).WithTimeout(grace).Should(Equal("3/3"), "a node that is wired counts at once")

	// One that does not make it within the grace is told of.
	w.node("n4")
	w.agent("n4")
	w.Eventually(w.nodes("counted")).Should(Equal("3/4"))
	w.becomes("counted", v1alpha1.ConditionNodesWired, "False/Wiring")
	w.setReady("n4", corev1.ConditionUnknown, 0)
	w.Eventually(w.nodes("counted")).Should(Equal("3/3"), "a node that is not Ready is not desired")
	w.becomes("counted", v1alpha1.ConditionReady, "True/Ready")
}

func TestAFailingNodeIsNamed(t *testing.T) {
	w := begin(t)
	w.twoNodes()
	w.create(hubFor("foreign", "foreign.example", ephemeral))
	w.ready("foreign")
	w.report("n2", v1alpha1.NodeException{
		Hub: "foreign", Host: "foreign.example", Reason: v1alpha1.NodeReasonForeignHostsFile, Message: "somebody else's",
	})
	w.becomes("foreign", v1alpha1.ConditionNodesWired, "False/NodesFailing")
	w.Expect(w.get("foreign").Status.Nodes).To(Equal(&v1alpha1.NodesStatus{
		Desired: 2, Wired: 1, Summary: "1/2",
		Failing: []v1alpha1.FailingNode{{Name: "n2", Reason: v1alpha1.NodeReasonForeignHostsFile, Message: "somebody else's"}},
	}))
	w.Expect(w.message("foreign", v1alpha1.ConditionReady)).To(ContainSubstring("n2 (ForeignHostsFile)"))
	w.report("n2")
	w.becomes("foreign", v1alpha1.ConditionReady, "True/Ready")
}

func TestAHubIsNotReadyForWantOfAgents(t *testing.T) {
	w := begin(t)
	w.node("n1")
	w.setReady("n1", corev1.ConditionTrue, 0)
	w.create(hubFor("bare", "bare.example", ephemeral))
	w.serve("bare")
	w.becomes("bare", v1alpha1.ConditionProxyAvailable, "True/Available")
	w.becomes("bare", v1alpha1.ConditionNodesWired, "False/Wiring")
	w.Consistently(w.condition("bare", v1alpha1.ConditionNodesWired)).WithTimeout(grace + 2*time.Second).Should(Equal("False/Wiring"))
	w.Eventually(func() string { return w.message("bare", v1alpha1.ConditionNodesWired) }).Should(Equal("no agent runs on any node that the hub selects"))
	w.agent("n1")
	w.report("n1")
	w.becomes("bare", v1alpha1.ConditionReady, "True/Ready")
}

func TestAHubThatSelectsNoNodeIsReady(t *testing.T) {
	w := begin(t)
	w.twoNodes()
	w.node("windows", corev1.LabelOSStable, "windows", "os", "w")
	w.create(hubFor("nobody", "nobody.example", ephemeral, onNodes(map[string]string{"os": "w"})))
	w.serve("nobody")
	w.becomes("nobody", v1alpha1.ConditionNodesWired, "True/NoNodes")
	w.becomes("nobody", v1alpha1.ConditionReady, "True/Ready")
}

func TestOnlyLinuxNodesHaveANodeMirror(t *testing.T) {
	w := begin(t)
	w.node("windows", corev1.LabelOSStable, "windows")
	w.node("n1")
	mirror := &v1alpha1.NodeMirror{}
	w.Eventually(func() error { return k8s.Get(t.Context(), client.ObjectKey{Name: "n1"}, mirror) }).Should(Succeed())
	node := &corev1.Node{}
	w.Expect(k8s.Get(t.Context(), client.ObjectKey{Name: "n1"}, node)).To(Succeed())
	w.Expect(mirror.OwnerReferences).To(ConsistOf(HaveField("UID", node.UID)))
	w.Expect(k8s.Get(t.Context(), client.ObjectKey{Name: "windows"}, mirror)).NotTo(Succeed())
}

func TestANodeThatIsMadeAnewStartsWithAnEmptyReport(t *testing.T) {
	w := begin(t)
	w.node("n1")
	w.reportRevision("n1", 7)
	w.Expect(k8s.Delete(t.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1"}})).To(Succeed())
	w.Expect(k8s.Create(t.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{
		Name: "n1", Labels: map[string]string{corev1.LabelOSStable: "linux"},
	}})).To(Succeed())
	w.Eventually(func() int64 {
		mirror := &v1alpha1.NodeMirror{}
		if err := k8s.Get(t.Context(), client.ObjectKey{Name: "n1"}, mirror); err != nil {
			return -1
		}
		return mirror.Status.Revision
	}).Should(BeZero())
}

func TestManyFailingNodesAreBounded(t *testing.T) {
	w := begin(t)
	var names []string
	for i := range 14 {
		names = append(names, fmt.Sprintf("node-%02d", i))
		w.node(names[i])
		w.agent(names[i])
	}
	w.create(hubFor("bounded", "bounded.example", ephemeral))
	w.ready("bounded")
	for _, name := range names {
		w.report(name, v1alpha1.NodeException{Hub: "bounded", Host: "bounded.example", Reason: v1alpha1.NodeReasonWriteFailed})
	}
	w.Eventually(w.nodes("bounded")).Should(Equal("0/14"))
	w.Expect(w.get("bounded").Status.Nodes.Failing).To(HaveLen(10))
	w.Expect(w.message("bounded", v1alpha1.ConditionNodesWired)).To(HaveSuffix("node-09 (WriteFailed), 4 more"))
}
