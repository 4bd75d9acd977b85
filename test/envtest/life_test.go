package envtest

import (
	"testing"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
)

func (w *world) isKstatus(name string, want status.Status) {
	w.t.Helper()
	got, _, err := verdictsOf(w.get(name))
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(got.Kstatus).To(Equal(string(want)))
}

func TestAHubBecomesReadyStepByStep(t *testing.T) {
	w := begin(t)
	w.twoNodes()
	w.storageClass("usual", true)
	w.create(hubFor("life", "life.example", onClass("usual")))

	w.becomes("life", v1alpha1.ConditionStorageReady, "False/VolumePending")
	w.becomes("life", v1alpha1.ConditionProxyAvailable, "False/RollingOut")
	w.becomes("life", v1alpha1.ConditionNodesWired, "False/AwaitingProxy")
	w.becomes("life", v1alpha1.ConditionReady, "False/Progressing")
	w.isKstatus("life", status.InProgressStatus)
	w.Expect(w.get("life").Finalizers).To(ConsistOf(v1alpha1.Finalizer))

	w.bindVolume("life")
	w.becomes("life", v1alpha1.ConditionStorageReady, "True/VolumeBound")
	w.Expect(w.get("life").Status.Storage.Capacity.String()).To(Equal("1Gi"))

	w.Expect(w.entry("life")).To(BeNil(), "the nodes are not told before the proxy serves")
	w.serve("life")
	w.becomes("life", v1alpha1.ConditionProxyAvailable, "True/Available")
	w.Eventually(w.hosts("life")).Should(Equal("life.example"))
	w.Eventually(w.nodes("life")).Should(Equal("0/2"), "both nodes are past their grace")
	w.becomes("life", v1alpha1.ConditionNodesWired, "False/Wiring")

	w.report("n1")
	w.Eventually(w.nodes("life")).Should(Equal("1/2"))
	w.report("n2")
	w.Eventually(w.nodes("life")).Should(Equal("2/2"))
	w.becomes("life", v1alpha1.ConditionReady, "True/Ready")
	w.isKstatus("life", status.CurrentStatus)

	hub, service := w.get("life"), &corev1.Service{}
	w.Expect(w.child("life", service)).To(Succeed())
	w.Expect(hub.Status.Endpoint).To(Equal("https://" + service.Spec.ClusterIP + ":5000"))
	w.Expect(w.entry("life").Endpoint).To(Equal(hub.Status.Endpoint))
	w.Expect(hub.Status.Upstreams).To(Equal([]v1alpha1.UpstreamStatus{{Name: "life-example", URL: "https://life.example"}}))
}

func TestTheProxyRunsWithTheHubsConfiguration(t *testing.T) {
	w := begin(t)
	w.create(hubFor("child", "docker.io"))
	deployment, configMap := &appsv1.Deployment{}, &corev1.ConfigMap{}
	w.Eventually(func() error { return w.child("child", deployment) }).Should(Succeed())
	w.Expect(w.child("child", configMap)).To(Succeed())

	configuration, err := configv1alpha1.DecodeProxyConfiguration([]byte(configMap.Data["config.yaml"]))
	w.Expect(err).NotTo(HaveOccurred(), "the proxy can read what the operator writes")
	w.Expect(configuration.Mirror.Hosts[0].Upstreams[0].URL).To(Equal("https://registry-1.docker.io"))
	w.Expect(deployment.Spec.Template.Spec.Containers[0].Image).To(Equal(image))
	for _, object := range []client.Object{deployment, configMap} {
		w.Expect(object.GetOwnerReferences()).To(BeEmpty(), "nobody but the finalizer takes it away")
		w.Expect(object.GetLabels()).To(HaveKeyWithValue(v1alpha1.LabelHub, "child"))
	}
}

func TestAChangeReachesTheNodesOnlyOnceTheProxyServesIt(t *testing.T) {
	w := begin(t)
	w.twoNodes()
	w.create(hubFor("changed", "one.example", ephemeral))
	proxy := w.proxy("changed")
	w.ready("changed")
	proxy.hold()
	revision := w.nodeConfiguration().Revision

	w.change("changed", func(hub *v1alpha1.RegistryHub) {
		hub.Spec.Hosts = []v1alpha1.RegistryHost{"one.example", "two.example"}
	})
	w.becomes("changed", v1alpha1.ConditionProxyAvailable, "False/ConfigurationPending")
	w.becomes("changed", v1alpha1.ConditionReady, "False/Progressing")
	w.Consistently(w.hosts("changed")).Should(Equal("one.example"), "no node is led to a proxy that does not know the host")

	proxy.take()
	w.Eventually(w.hosts("changed")).Should(Equal("one.example two.example"))
	w.Expect(w.nodeConfiguration().Revision).To(BeNumerically(">", revision))
	w.Consistently(w.condition("changed", v1alpha1.ConditionReady)).Should(Equal("False/Progressing"), "the nodes have not reported it")
	w.reportAll()
	w.becomes("changed", v1alpha1.ConditionReady, "True/Ready")
}

func TestADropOfTheProxyLeavesTheNodesAlone(t *testing.T) {
	w := begin(t)
	w.twoNodes()
	w.create(hubFor("drop", "drop.example", ephemeral))
	w.ready("drop")
	before := w.nodeConfiguration()

	w.setDeployment("drop", func(s *appsv1.DeploymentStatus) { s.ReadyReplicas, s.AvailableReplicas = 0, 0 })
	w.becomes("drop", v1alpha1.ConditionProxyAvailable, "False/Unavailable")
	w.becomes("drop", v1alpha1.ConditionReady, "False/Progressing")
	w.Consistently(w.nodeConfiguration).Should(Equal(before))
	w.serve("drop")
	w.becomes("drop", v1alpha1.ConditionReady, "True/Ready")
	w.Expect(w.nodeConfiguration()).To(Equal(before))
}

func TestARollOutThatFailsStallsTheHub(t *testing.T) {
	w := begin(t)
	w.create(hubFor("failing", "failing.example", ephemeral))
	w.setDeployment("failing", func(s *appsv1.DeploymentStatus) {
		s.Replicas, s.UpdatedReplicas, s.UnavailableReplicas = 1, 1, 1
		progressing(s, "ProgressDeadlineExceeded", corev1.ConditionFalse)
	})
	w.becomes("failing", v1alpha1.ConditionStalled, "True/RollOutFailed")
	w.isKstatus("failing", status.FailedStatus)
	w.serve("failing")
	w.becomes("failing", v1alpha1.ConditionReady, "True/Ready")
	w.becomes("failing", v1alpha1.ConditionNodesWired, "True/NoNodes")
}
