package envtest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
)

// world is a test's view of the cluster, and the hands of everybody who is not the manager.
type world struct {
	*WithT
	t *testing.T
}

func begin(t *testing.T) *world {
	t.Helper()
	w := &world{WithT: NewWithT(t), t: t}
	w.SetDefaultEventuallyTimeout(20 * time.Second)
	w.SetDefaultEventuallyPollingInterval(20 * time.Millisecond)
	w.SetDefaultConsistentlyDuration(600 * time.Millisecond)
	w.SetDefaultConsistentlyPollingInterval(20 * time.Millisecond)
	t.Cleanup(func() {
		for _, complaint := range observed.complaints() {
			t.Error(complaint)
		}
	})
	return w
}

// hubFor makes a hub of one host on a volume; changes say what is different.
func hubFor(name, host string, changes ...func(*v1alpha1.RegistryHub)) *v1alpha1.RegistryHub {
	hub := &v1alpha1.RegistryHub{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.RegistryHubSpec{
			Hosts:  []v1alpha1.RegistryHost{v1alpha1.RegistryHost(host)},
			Mode:   v1alpha1.HubModeMirror,
			Mirror: &v1alpha1.MirrorSpec{},
			Storage: v1alpha1.StorageSpec{
				Type:                  v1alpha1.StoragePersistentVolumeClaim,
				PersistentVolumeClaim: &v1alpha1.PersistentVolumeClaimStorage{Size: resource.MustParse("1Gi")},
			},
		},
	}
	for _, change := range changes {
		change(hub)
	}
	return hub
}

func ephemeral(hub *v1alpha1.RegistryHub) {
	hub.Spec.Storage = v1alpha1.StorageSpec{Type: v1alpha1.StorageEphemeral}
}

func onNodes(labels map[string]string) func(*v1alpha1.RegistryHub) {
	return func(hub *v1alpha1.RegistryHub) {
		hub.Spec.Nodes.Selector = &metav1.LabelSelector{MatchLabels: labels}
	}
}

// create makes a hub, and takes it away when the test ends, by force.
func (w *world) create(hub *v1alpha1.RegistryHub) *v1alpha1.RegistryHub {
	w.t.Helper()
	w.Expect(k8s.Create(w.t.Context(), hub)).To(Succeed())
	w.t.Cleanup(func() { w.removeByForce(hub.Name) })
	return hub
}

func (w *world) removeByForce(name string) {
	ctx := ctxOf()
	hub := &v1alpha1.RegistryHub{ObjectMeta: metav1.ObjectMeta{Name: name}}
	force := fmt.Sprintf(`{"metadata":{"annotations":{%q:"true"}}}`, v1alpha1.AnnotationForceDelete)
	w.Expect(client.IgnoreNotFound(k8s.Patch(ctx, hub, client.RawPatch("application/merge-patch+json", []byte(force))))).To(Succeed())
	w.Expect(client.IgnoreNotFound(k8s.Delete(ctx, hub))).To(Succeed())
	w.Eventually(func() bool {
		return apierrors.IsNotFound(k8s.Get(ctx, client.ObjectKey{Name: name}, &v1alpha1.RegistryHub{}))
	}).Should(BeTrue(), "the hub goes")
	w.releaseClaim(name)
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "hub-" + name}}
	w.Expect(client.IgnoreNotFound(k8s.Delete(ctx, claim))).To(Succeed())
	w.releaseClaim(name)
}

// releaseClaim plays the controller that lets a claim go when no Pod uses it.
func (w *world) releaseClaim(name string) {
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "hub-" + name}}
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`))
	w.Expect(client.IgnoreNotFound(k8s.Patch(ctxOf(), claim, patch))).To(Succeed())
}

// get reads a hub as it is now.
func (w *world) get(name string) *v1alpha1.RegistryHub {
	hub := &v1alpha1.RegistryHub{}
	w.Expect(client.IgnoreNotFound(k8s.Get(ctxOf(), client.ObjectKey{Name: name}, hub))).To(Succeed())
	return hub
}

// change edits a hub as a person does, until nobody is in the way.
func (w *world) change(name string, edit func(*v1alpha1.RegistryHub)) {
	w.t.Helper()
	w.Eventually(func() error {
		hub := w.get(name)
		edit(hub)
		return k8s.Update(ctxOf(), hub)
	}).Should(Succeed())
}

// condition is "True/Reason", and "" for a condition that is absent or speaks of an earlier spec.
func (w *world) condition(name, kind string) func() string {
	return func() string {
		hub := w.get(name)
		condition := meta.FindStatusCondition(hub.Status.Conditions, kind)
		if condition == nil || condition.ObservedGeneration != hub.Generation {
			return ""
		}
		return string(condition.Status) + "/" + condition.Reason
	}
}

func (w *world) message(name, kind string) string {
	condition := meta.FindStatusCondition(w.get(name).Status.Conditions, kind)
	if condition == nil {
		return ""
	}
	return condition.Message
}

func (w *world) becomes(name, kind, want string) {
	w.t.Helper()
	w.Eventually(w.condition(name, kind)).Should(Equal(want), func() string {
		return fmt.Sprintf("%s of %s: %+v", kind, name, w.get(name).Status)
	})
}

// nodes is the summary of a hub's nodes.
func (w *world) nodes(name string) func() string {
	return func() string {
		if figures := w.get(name).Status.Nodes; figures != nil {
			return figures.Summary
		}
		return ""
	}
}

func (w *world) child(name string, into client.Object) error {
	return k8s.Get(ctxOf(), client.ObjectKey{Namespace: namespace, Name: "hub-" + name}, into)
}

// bindVolume plays the controllers of volumes.
func (w *world) bindVolume(name string) {
	w.t.Helper()
	w.Eventually(func() error {
		claim := &corev1.PersistentVolumeClaim{}
		if err := w.child(name, claim); err != nil {
			return err
		}
		claim.Status.Phase = corev1.ClaimBound
		claim.Status.Capacity = claim.Spec.Resources.Requests
		return k8s.Status().Update(ctxOf(), claim)
	}).Should(Succeed())
}

// serve plays the Deployment's controller and the kubelet: the Pod of the present template is available, and its proxy
// answers.
func (w *world) serve(name string) {
	w.t.Helper()
	w.proxyUnlessThere(name)
	w.setDeployment(name, func(status *appsv1.DeploymentStatus) {
		status.Replicas, status.UpdatedReplicas, status.ReadyReplicas, status.AvailableReplicas = 1, 1, 1, 1
		progressing(status, "NewReplicaSetAvailable", corev1.ConditionTrue)
	})
}

func (w *world) setDeployment(name string, set func(*appsv1.DeploymentStatus)) {
	w.t.Helper()
	w.Eventually(func() error {
		deployment := &appsv1.Deployment{}
		if err := w.child(name, deployment); err != nil {
			return err
		}
		deployment.Status.ObservedGeneration = deployment.Generation
		set(&deployment.Status)
		return k8s.Status().Update(ctxOf(), deployment)
	}).Should(Succeed())
}

func progressing(status *appsv1.DeploymentStatus, reason string, value corev1.ConditionStatus) {
	status.Conditions = []appsv1.DeploymentCondition{{
		Type: appsv1.DeploymentProgressing, Status: value, Reason: reason, LastUpdateTime: metav1.Now(), LastTransitionTime: metav1.Now(),
	}}
}

// ready brings a hub to Ready.
func (w *world) ready(name string) {
	w.t.Helper()
	if w.get(name).Spec.Storage.PersistentVolumeClaim != nil {
		w.bindVolume(name)
	}
	w.serve(name)
	w.becomes(name, v1alpha1.ConditionProxyAvailable, "True/Available")
	w.Eventually(func() *configv1alpha1.NodeHub { return w.entry(name) }).ShouldNot(BeNil(), "the hub is written to the nodes")
	w.reportAll()
	w.becomes(name, v1alpha1.ConditionReady, "True/Ready")
}

// nodeConfiguration is what the nodes are told.
func (w *world) nodeConfiguration() *configv1alpha1.NodeConfiguration {
	configMap := &corev1.ConfigMap{}
	if err := k8s.Get(ctxOf(), client.ObjectKey{Namespace: namespace, Name: configv1alpha1.NodeConfigurationName}, configMap); err != nil {
		return &configv1alpha1.NodeConfiguration{}
	}
	configuration, err := configv1alpha1.DecodeNodeConfiguration([]byte(configMap.Data[configv1alpha1.NodeConfigurationKey]))
	if err != nil {
		return &configv1alpha1.NodeConfiguration{}
	}
	return configuration
}

// entry is what the nodes are told of a hub.
func (w *world) entry(name string) *configv1alpha1.NodeHub {
	configuration := w.nodeConfiguration()
	for i := range configuration.Hubs {
		if configuration.Hubs[i].Name == name {
			return &configuration.Hubs[i]
		}
	}
	return nil
}

func (w *world) hosts(name string) func() string {
	return func() string {
		if entry := w.entry(name); entry != nil {
			return strings.Join(entry.Hosts, " ")
		}
		return ""
	}
}
