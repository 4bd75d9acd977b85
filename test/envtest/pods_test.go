package envtest

import (
	"encoding/json"
	"testing"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/registryhub/registryhub/api/v1alpha1"
)

// shared puts a hub on storage that several Pods can write to.
func shared(hub *v1alpha1.RegistryHub) {
	hub.Spec.Storage.PersistentVolumeClaim.AccessModes = []corev1.PersistentVolumeAccessMode{corev1.ReadWriteMany}
}

func podsOf(number int32) func(*v1alpha1.RegistryHub) {
	return func(hub *v1alpha1.RegistryHub) { hub.Spec.Proxy.Replicas = &number }
}

// podSettings uses every setting of Pods but those that another test has.
func podSettings(hub *v1alpha1.RegistryHub) {
	proxy := &hub.Spec.Proxy
	proxy.Affinity = &corev1.Affinity{
		NodeAffinity: &corev1.NodeAffinity{PreferredDuringSchedulingIgnoredDuringExecution: []corev1.PreferredSchedulingTerm{{
			Weight: 1, Preference: corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "disk", Operator: corev1.NodeSelectorOpExists}}},
		}}},
		PodAntiAffinity: &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{
			TopologyKey: "zone", LabelSelector: &metav1.LabelSelector{}, NamespaceSelector: &metav1.LabelSelector{}, MatchLabelKeys: []string{"a"},
		}}},
	}
	proxy.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{
		{MaxSkew: 1, TopologyKey: "zone", WhenUnsatisfiable: corev1.ScheduleAnyway, MatchLabelKeys: []string{"pod-template-hash"}},
		{MaxSkew: 2, TopologyKey: "rack", WhenUnsatisfiable: corev1.DoNotSchedule, MinDomains: new(int32(2)), LabelSelector: &metav1.LabelSelector{}},
	}
	proxy.Annotations, proxy.Labels = map[string]string{"a": "", "z": "1"}, map[string]string{"cost-center": "platform", "empty": ""}
	proxy.Env = []v1alpha1.ProxyEnvVar{
		{Name: "NO_PROXY", Value: ".example"},
		{Name: "HTTPS_PROXY", ValueFrom: &v1alpha1.ProxyEnvSource{SecretKeyRef: v1alpha1.SecretKeyReference{Name: "pods-proxy", Key: "url"}}},
		{Name: "EMPTY"},
	}
	proxy.Image = "mirror.example/registryhub:test"
	proxy.ImagePullSecrets = []v1alpha1.SecretReference{{Name: "pods-pull"}}
}

func (w *world) deployment(name string) *appsv1.Deployment {
	deployment := &appsv1.Deployment{}
	w.Expect(client.IgnoreNotFound(w.child(name, deployment))).To(Succeed())
	return deployment
}

func (w *world) replicas(name string) func() int32 {
	return func() int32 {
		if replicas := w.deployment(name).Spec.Replicas; replicas != nil {
			return *replicas
		}
		return 0
	}
}

// scale sets the number of Pods as a HorizontalPodAutoscaler does.
func (w *world) scale(name string, replicas int32) {
	w.t.Helper()
	scale := &autoscalingv1.Scale{ObjectMeta: named("hub-" + name), Spec: autoscalingv1.ScaleSpec{Replicas: replicas}}
	w.Expect(k8s.SubResource("scale").Update(ctxOf(), w.deployment(name), client.WithSubResourceBody(scale), client.FieldOwner("kube-controller-manager"))).To(Succeed())
}

// has plays the Deployment's controller: so many Pods, of which so many are of the present template and serve.
func (w *world) has(name string, all, serving int32) {
	w.t.Helper()
	w.proxyUnlessThere(name)
	w.setDeployment(name, func(status *appsv1.DeploymentStatus) {
		status.Replicas, status.UpdatedReplicas, status.ReadyReplicas, status.AvailableReplicas = all, all, serving, serving
		progressing(status, "NewReplicaSetAvailable", corev1.ConditionTrue)
	})
}

func TestTheSettingsOfAHubsPodsAreThoseOfItsSpec(t *testing.T) {
	w := begin(t)
	w.create(hubFor("settings", "settings.example", ephemeral, podSettings))
	w.becomes("settings", v1alpha1.ConditionProxyAvailable, "False/ReferenceNotFound")
	w.Expect(w.message("settings", v1alpha1.ConditionReady)).To(And(
		ContainSubstring("variable HTTPS_PROXY of spec.proxy.env: Secret pods-proxy in namespace registryhub-system does not exist"),
		ContainSubstring("spec.proxy.imagePullSecrets: Secret pods-pull in namespace registryhub-system does not exist")))
	w.secret("pods-proxy", map[string][]byte{"url": []byte("http://u:p@proxy.example:3128")})
	w.secret("pods-pull", map[string][]byte{".dockerconfigjson": []byte("{}")})
	w.change("settings", func(hub *v1alpha1.RegistryHub) { hub.Labels = map[string]string{"look": "again"} })
	w.ready("settings")

	template := w.deployment("settings").Spec.Template
	w.Expect(template.Annotations).To(HaveKeyWithValue("z", "1"))
	w.Expect(template.Labels).To(And(HaveKeyWithValue("cost-center", "platform"), HaveKeyWithValue(v1alpha1.LabelHub, "settings")))
	w.Expect(template.Spec.Affinity).To(Equal(w.get("settings").Spec.Proxy.Affinity))
	w.Expect(template.Spec.TopologySpreadConstraints).To(HaveLen(2))
	w.Expect(template.Spec.ImagePullSecrets).To(Equal([]corev1.LocalObjectReference{{Name: "pods-pull"}}))
	w.Expect(template.Spec.Containers[0].Image).To(Equal("mirror.example/registryhub:test"))
	w.Expect(template.Spec.Containers[0].Env[1].ValueFrom.SecretKeyRef.Name).To(Equal("pods-proxy"))

	w.change("settings", func(hub *v1alpha1.RegistryHub) { hub.Spec.Proxy = v1alpha1.ProxySpec{} })
	w.Eventually(func() string { return w.deployment("settings").Spec.Template.Spec.Containers[0].Image }).Should(Equal(image))
	template = w.deployment("settings").Spec.Template
	w.Expect(template.Labels).NotTo(HaveKey("cost-center"))
	w.Expect(template.Spec.Affinity).To(BeNil())
	w.Expect(template.Spec.Containers[0].Env).To(BeEmpty())
	w.serve("settings")
	w.becomes("settings", v1alpha1.ConditionReady, "True/Ready")
}

func TestSeveralPodsAreReplacedOneByOneAndTheHubSaysHowManyServe(t *testing.T) {
	w := begin(t)
	w.create(hubFor("several", "several.example", shared, podsOf(3)))
	w.bindVolume("several")
	w.Eventually(w.replicas("several")).Should(Equal(int32(3)))
	w.Expect(w.deployment("several").Spec.Strategy.Type).To(Equal(appsv1.RollingUpdateDeploymentStrategyType))
	w.has("several", 3, 3)
	w.becomes("several", v1alpha1.ConditionReady, "True/Ready")
	w.Expect(w.message("several", v1alpha1.ConditionProxyAvailable)).To(ContainSubstring("3/3 Pods"))

	w.has("several", 3, 1)
	w.Eventually(func() string { return w.message("several", v1alpha1.ConditionProxyAvailable) }).Should(ContainSubstring("1/3 Pods"))
	w.becomes("several", v1alpha1.ConditionReady, "True/Ready")

	w.setDeployment("several", func(status *appsv1.DeploymentStatus) { status.Replicas, status.UpdatedReplicas = 4, 1 })
	w.becomes("several", v1alpha1.ConditionProxyAvailable, "False/RollingOut")
	w.has("several", 3, 0)
	w.becomes("several", v1alpha1.ConditionProxyAvailable, "False/Unavailable")
}

func TestABudgetIsThereForPodsThatCanBeSeveralAndGoesWithTheHub(t *testing.T) {
	w := begin(t)
	w.create(hubFor("budget", "budget.example", shared))
	w.create(hubFor("no-budget", "no-budget.example"))
	w.ready("budget")
	w.ready("no-budget")
	budget := &policyv1.PodDisruptionBudget{}
	w.Expect(w.child("budget", budget)).To(Succeed())
	w.Expect(budget.Spec.MaxUnavailable.IntValue()).To(Equal(1))
	w.Expect(budget.Spec.Selector.MatchLabels).To(Equal(w.deployment("budget").Spec.Selector.MatchLabels))
	w.Expect(apierrors.IsNotFound(w.child("no-budget", &policyv1.PodDisruptionBudget{}))).To(BeTrue())

	before := budget.UID
	w.Expect(k8s.Delete(t.Context(), budget)).To(Succeed())
	w.Eventually(func() bool { return w.child("budget", budget) == nil && budget.UID != before }).Should(BeTrue(), "it comes back")
	w.removeByForce("budget")
	w.Expect(apierrors.IsNotFound(w.child("budget", budget))).To(BeTrue(), "it goes with the hub")
}

func TestAnAutoscalersReplicasStay(t *testing.T) {
	w := begin(t)
	w.create(hubFor("scaled", "scaled.example", shared, podsOf(3)))
	w.ready("scaled")
	w.scale("scaled", 5)
	w.Eventually(w.replicas("scaled")).Should(Equal(int32(3)), "the spec says so")

	w.change("scaled", func(hub *v1alpha1.RegistryHub) { hub.Spec.Proxy.Replicas = nil })
	w.settle()
	w.Expect(w.replicas("scaled")()).To(Equal(int32(3)), "what is there stays until the autoscaler says otherwise")
	w.scale("scaled", 4)
	w.change("scaled", func(hub *v1alpha1.RegistryHub) { hub.Spec.Proxy.PriorityClassName = "system-cluster-critical" })
	w.Eventually(func() string { return w.deployment("scaled").Spec.Template.Spec.PriorityClassName }).Should(Equal("system-cluster-critical"))
	w.Expect(w.replicas("scaled")()).To(Equal(int32(4)), "a change of ours leaves it alone")
	w.settle()
	w.Expect(w.replicas("scaled")()).To(Equal(int32(4)))
}

func TestASidecarThatIsAppliedBySomebodyElseStays(t *testing.T) {
	w := begin(t)
	w.create(hubFor("sidecar", "sidecar.example", ephemeral))
	w.ready("sidecar")
	injected := appsv1ac.Deployment("hub-sidecar", namespace).WithSpec(appsv1ac.DeploymentSpec().WithTemplate(corev1ac.PodTemplateSpec().
		WithAnnotations(map[string]string{"mesh.example/injected": "true"}).
		WithSpec(corev1ac.PodSpec().
			WithInitContainers(corev1ac.Container().WithName("first").WithImage("mesh.example/first")).
			WithContainers(corev1ac.Container().WithName("mesh").WithImage("mesh.example/proxy")))))
	w.Expect(k8s.Apply(t.Context(), injected, client.FieldOwner("mesh"))).To(Succeed())
	w.becomes("sidecar", v1alpha1.ConditionProxyAvailable, "False/RollingOut")
	w.change("sidecar", func(hub *v1alpha1.RegistryHub) {
		hub.Spec.Proxy.Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m")}
		hub.Spec.Proxy.Annotations = map[string]string{"our": "own"}
	})
	w.Eventually(func() map[string]string { return w.deployment("sidecar").Spec.Template.Annotations }).Should(HaveKeyWithValue("our", "own"))
	template := w.deployment("sidecar").Spec.Template
	shown, err := json.Marshal(template)
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(template.Annotations).To(HaveKeyWithValue("mesh.example/injected", "true"))
	w.Expect(template.Spec.InitContainers).To(HaveLen(1), string(shown))
	w.Expect(template.Spec.Containers).To(HaveLen(2), string(shown))
	w.serve("sidecar")
	w.becomes("sidecar", v1alpha1.ConditionReady, "True/Ready")
	w.settle()
	w.Expect(w.deployment("sidecar").Spec.Template).To(Equal(template), "nobody fights over it")
}
