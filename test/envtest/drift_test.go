package envtest

import (
	"testing"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
)

// byHand edits an object as a person with kubectl does.
func (w *world) byHand(object client.Object, edit func()) {
	w.t.Helper()
	w.Eventually(func() error {
		if err := k8s.Get(ctxOf(), client.ObjectKeyFromObject(object), object); err != nil {
			return err
		}
		edit()
		return k8s.Update(ctxOf(), object, client.FieldOwner("kubectl-edit"))
	}).Should(Succeed())
}

func named(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: namespace, Name: name} }

func TestChildrenThatAreEditedByHandComeBack(t *testing.T) {
	w := begin(t)
	w.create(hubFor("drift", "drift.example"))
	w.ready("drift")

	deployment := &appsv1.Deployment{ObjectMeta: named("hub-drift")}
	container := func() *corev1.Container { return &deployment.Spec.Template.Spec.Containers[0] }
	service := &corev1.Service{ObjectMeta: named("hub-drift")}
	configMap := &corev1.ConfigMap{ObjectMeta: named("hub-drift")}
	daemonSet := &appsv1.DaemonSet{ObjectMeta: named(configv1alpha1.NodeAgentName)}
	for name, tc := range map[string]struct {
		object client.Object
		edit   func()
		shown  func() any
	}{
		"the image":               {deployment, func() { container().Image = "evil.example/proxy" }, func() any { return container().Image }},
		"a flag":                  {deployment, func() { container().Args = []string{"version"} }, func() any { return container().Args }},
		"replicas":                {deployment, func() { deployment.Spec.Replicas = new(int32(3)) }, func() any { return deployment.Spec.Replicas }},
		"a probe that is deleted": {deployment, func() { container().LivenessProbe = nil }, func() any { return container().LivenessProbe }},
		"a volume that is deleted": {deployment, func() {
			deployment.Spec.Template.Spec.Volumes = deployment.Spec.Template.Spec.Volumes[1:]
			container().VolumeMounts = container().VolumeMounts[1:]
		}, func() any { return []any{deployment.Spec.Template.Spec.Volumes, container().VolumeMounts} }},
		"the configuration": {configMap, func() { configMap.Data["config.yaml"] = "nonsense" }, func() any { return configMap.Data["config.yaml"] }},
		"the port":          {service, func() { service.Spec.Ports[0].TargetPort = intstr.FromInt32(1) }, func() any { return service.Spec.Ports[0].TargetPort }},
		"the selector":      {service, func() { service.Spec.Selector = map[string]string{"app": "evil"} }, func() any { return service.Spec.Selector }},
		"a label":           {service, func() { service.Labels["app.kubernetes.io/name"] = "x" }, func() any { return service.Labels["app.kubernetes.io/name"] }},
		"the agent's privilege": {daemonSet, func() {
			daemonSet.Spec.Template.Spec.Containers[0].SecurityContext.AllowPrivilegeEscalation = new(true)
		},
			func() any { return daemonSet.Spec.Template.Spec.Containers[0].SecurityContext }},
	} {
		t.Run(name, func(t *testing.T) {
			w := begin(t)
			w.Expect(k8s.Get(t.Context(), client.ObjectKeyFromObject(tc.object), tc.object)).To(Succeed())
			want := tc.object.DeepCopyObject()
			wanted := tc.shown()
			w.byHand(tc.object, tc.edit)
			w.Eventually(func() any {
				w.Expect(k8s.Get(t.Context(), client.ObjectKeyFromObject(tc.object), tc.object)).To(Succeed())
				return tc.shown()
			}).Should(Equal(wanted), "%T is as before", want)
		})
	}
	w.serve("drift")
	w.becomes("drift", v1alpha1.ConditionReady, "True/Ready")
}

func TestObjectsThatAreDeletedByHandComeBack(t *testing.T) {
	w := begin(t)
	w.node("n1")
	w.agent("n1")
	w.create(hubFor("deleted", "deleted.example"))
	w.ready("deleted")
	for name, object := range map[string]client.Object{
		"the Deployment":         &appsv1.Deployment{ObjectMeta: named("hub-deleted")},
		"the ConfigMap":          &corev1.ConfigMap{ObjectMeta: named("hub-deleted")},
		"the Service":            &corev1.Service{ObjectMeta: named("hub-deleted")},
		"the claim":              &corev1.PersistentVolumeClaim{ObjectMeta: named("hub-deleted")},
		"the agents' DaemonSet":  &appsv1.DaemonSet{ObjectMeta: named(configv1alpha1.NodeAgentName)},
		"the node configuration": &corev1.ConfigMap{ObjectMeta: named(configv1alpha1.NodeConfigurationName)},
		"a NodeMirror":           &v1alpha1.NodeMirror{ObjectMeta: metav1.ObjectMeta{Name: "n1"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := begin(t)
			w.Eventually(func() error { return k8s.Get(t.Context(), client.ObjectKeyFromObject(object), object) }).Should(Succeed())
			before := object.GetUID()
			w.Expect(k8s.Delete(t.Context(), object, client.PropagationPolicy(metav1.DeletePropagationBackground))).To(Succeed())
			w.releaseClaim("deleted")
			w.Eventually(func() types.UID {
				object.SetUID("")
				_ = k8s.Get(t.Context(), client.ObjectKeyFromObject(object), object)
				return object.GetUID()
			}).ShouldNot(Or(Equal(before), BeEmpty()))
		})
	}
	w.ready("deleted")
}

func TestALostNodeConfigurationBeginsAboveWhatNodesReported(t *testing.T) {
	w := begin(t)
	w.twoNodes()
	w.create(hubFor("revisions", "revisions.example", ephemeral))
	w.ready("revisions")
	w.reportRevision("n2", w.nodeConfiguration().Revision+40)
	reported := w.nodeConfiguration().Revision + 40

	w.Expect(k8s.Delete(t.Context(), &corev1.ConfigMap{ObjectMeta: named(configv1alpha1.NodeConfigurationName)})).To(Succeed())
	w.Eventually(func() int64 { return w.nodeConfiguration().Revision }).Should(BeNumerically(">", reported))
	w.Eventually(w.hosts("revisions")).Should(Equal("revisions.example"))
	w.Expect(w.entry("revisions").Revision).To(BeNumerically(">", reported), "an old report says nothing of it")
	w.becomes("revisions", v1alpha1.ConditionNodesWired, "False/Wiring")
	w.reportAll()
	w.becomes("revisions", v1alpha1.ConditionReady, "True/Ready")
}

func TestANodeConfigurationThatIsEditedByHandComesBack(t *testing.T) {
	w := begin(t)
	w.twoNodes()
	w.create(hubFor("edited", "edited.example", ephemeral))
	w.ready("edited")
	before := w.nodeConfiguration()
	configMap := &corev1.ConfigMap{ObjectMeta: named(configv1alpha1.NodeConfigurationName)}
	for name, content := range map[string]string{
		"nonsense": "nonsense",
		"another endpoint": "apiVersion: config.registryhub.io/v1alpha1\nkind: NodeConfiguration\nrevision: 100000\nhubs:\n" +
			"- {name: edited, uid: " + before.Hubs[0].UID + ", revision: 1, hosts: [edited.example], endpoint: 'http://192.0.2.1:1'}\n",
	} {
		t.Run(name, func(t *testing.T) {
			w := begin(t)
			w.byHand(configMap, func() { configMap.Data[configv1alpha1.NodeConfigurationKey] = content })
			w.Eventually(func() string {
				if entry := w.entry("edited"); entry != nil {
					return entry.Endpoint
				}
				return ""
			}).Should(Equal(before.Hubs[0].Endpoint))
			w.Expect(w.nodeConfiguration().Revision).To(BeNumerically(">", before.Revision))
			w.reportAll()
			w.becomes("edited", v1alpha1.ConditionReady, "True/Ready")
		})
	}
}

func TestWhatOthersAddStaysTheirs(t *testing.T) {
	w := begin(t)
	w.create(hubFor("theirs", "theirs.example", ephemeral))
	w.ready("theirs")
	deployment := &appsv1.Deployment{ObjectMeta: named("hub-theirs")}
	w.byHand(deployment, func() {
		deployment.Annotations = map[string]string{"somebody": "else"}
		deployment.Spec.Template.Spec.Containers = append(deployment.Spec.Template.Spec.Containers,
			corev1.Container{Name: "sidecar", Image: "sidecar.example/injected"})
	})
	w.change("theirs", func(hub *v1alpha1.RegistryHub) {
		hub.Spec.Proxy.Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1000m")}
	})
	w.Eventually(func() string {
		w.Expect(w.child("theirs", deployment)).To(Succeed())
		return deployment.Spec.Template.Spec.Containers[0].Resources.Requests.Cpu().String()
	}).Should(Equal("1"), "our change is there")
	w.Expect(deployment.Annotations).To(HaveKeyWithValue("somebody", "else"))
	w.Expect(deployment.Spec.Template.Spec.Containers).To(HaveLen(2), "the sidecar stays")
	w.serve("theirs")
	w.becomes("theirs", v1alpha1.ConditionReady, "True/Ready")
}
