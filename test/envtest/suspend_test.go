package envtest

import (
	"testing"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/registryhub/registryhub/api/v1alpha1"
)

func suspended(is bool) func(*v1alpha1.RegistryHub) {
	return func(hub *v1alpha1.RegistryHub) { hub.Spec.Suspend = is }
}

func TestASuspendedHubIsLeftAsItIs(t *testing.T) {
	w := begin(t)
	w.twoNodes()
	w.create(hubFor("suspended", "suspended.example", ephemeral))
	w.ready("suspended")
	w.change("suspended", suspended(true))
	w.becomes("suspended", v1alpha1.ConditionSuspended, "True/Suspended")
	w.becomes("suspended", v1alpha1.ConditionReady, "True/Ready")
	w.settle()
	told, template := w.nodeConfiguration(), w.template("suspended")()

	w.change("suspended", func(hub *v1alpha1.RegistryHub) {
		hub.Spec.Hosts = []v1alpha1.RegistryHost{"other.example"}
		hub.Spec.Proxy.PriorityClassName = "system-cluster-critical"
	})
	service := &corev1.Service{ObjectMeta: named("hub-suspended")}
	w.byHand(service, func() { service.Spec.Ports[0].TargetPort = intstr.FromInt32(1) })
	w.becomes("suspended", v1alpha1.ConditionReady, "True/Ready")
	w.Consistently(w.template("suspended")).Should(Equal(template), "its Pods stay")
	w.Expect(w.nodeConfiguration()).To(Equal(told), "its nodes stay wired")
	w.Expect(w.child("suspended", service)).To(Succeed())
	w.Expect(service.Spec.Ports[0].TargetPort).To(Equal(intstr.FromInt32(1)), "what somebody did to it stays")

	w.setDeployment("suspended", func(s *appsv1.DeploymentStatus) { s.ReadyReplicas, s.AvailableReplicas = 0, 0 })
	w.becomes("suspended", v1alpha1.ConditionReady, "False/Suspended")
	w.becomes("suspended", v1alpha1.ConditionProxyAvailable, "False/Unavailable")
	w.Expect(w.nodeConfiguration()).To(Equal(told))

	w.change("suspended", suspended(false))
	w.Eventually(func() string { return w.deployment("suspended").Spec.Template.Spec.PriorityClassName }).Should(Equal("system-cluster-critical"))
	w.Eventually(func() intstr.IntOrString {
		w.Expect(w.child("suspended", service)).To(Succeed())
		return service.Spec.Ports[0].TargetPort
	}).ShouldNot(Equal(intstr.FromInt32(1)))
	w.ready("suspended")
	w.Expect(w.hosts("suspended")()).To(Equal("other.example"))
	w.Expect(w.condition("suspended", v1alpha1.ConditionSuspended)()).To(BeEmpty())
}

func TestAHubThatIsMadeSuspendedIsNotMade(t *testing.T) {
	w := begin(t)
	w.create(hubFor("unmade", "unmade.example", ephemeral, suspended(true)))
	w.becomes("unmade", v1alpha1.ConditionReady, "False/Suspended")
	w.becomes("unmade", v1alpha1.ConditionProxyAvailable, "False/Suspended")
	w.becomes("unmade", v1alpha1.ConditionNodesWired, "False/Suspended")
	w.settle()
	for _, child := range []func() error{
		func() error { return w.child("unmade", &appsv1.Deployment{}) }, func() error { return w.child("unmade", &corev1.Service{}) },
	} {
		w.Expect(apierrors.IsNotFound(child())).To(BeTrue())
	}
	w.create(hubFor("made", "unmade.example", ephemeral))
	w.ready("made") // the host is claimed by nobody that nodes were told of

	w.change("unmade", suspended(false))
	w.becomes("unmade", v1alpha1.ConditionSuspended, "")
	w.serve("unmade")
	w.becomes("unmade", v1alpha1.ConditionProxyAvailable, "True/Available")
	w.Eventually(w.hosts("unmade")).Should(Equal("unmade.example"), "the older hub has it")
	w.becomes("made", v1alpha1.ConditionStalled, "True/HostConflict")
}

func TestASuspendedHubCanBeDeleted(t *testing.T) {
	w := begin(t)
	w.twoNodes()
	w.create(hubFor("parting", "parting.example", ephemeral))
	w.ready("parting")
	w.change("parting", suspended(true))
	w.becomes("parting", v1alpha1.ConditionSuspended, "True/Suspended")
	w.Expect(k8s.Delete(t.Context(), w.get("parting"))).To(Succeed())
	w.Eventually(w.entry).WithArguments("parting").Should(BeNil(), "the nodes are told")
	w.reportAll()
	w.Eventually(func() bool { return w.get("parting").Name == "" }).Should(BeTrue(), "it goes")
	w.Expect(apierrors.IsNotFound(w.child("parting", &appsv1.Deployment{}))).To(BeTrue())
}
