package envtest

import (
	"testing"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
)

func TestTheAgentsGoWithTheManagersDeployment(t *testing.T) {
	w := begin(t)
	daemonSet := &appsv1.DaemonSet{ObjectMeta: named(configv1alpha1.NodeAgentName)}
	configMap := &corev1.ConfigMap{ObjectMeta: named(configv1alpha1.NodeConfigurationName)}
	owner := func(object client.Object) func() string {
		return func() string {
			_ = k8s.Get(ctxOf(), client.ObjectKeyFromObject(object), object)
			if owners := object.GetOwnerReferences(); len(owners) == 1 {
				return owners[0].Kind + "/" + owners[0].Name
			}
			return ""
		}
	}
	w.Eventually(func() error { return k8s.Get(t.Context(), client.ObjectKeyFromObject(daemonSet), daemonSet) }).Should(Succeed())
	w.Expect(daemonSet.OwnerReferences).To(BeEmpty(), "the manager runs outside the cluster")

	objects, err := readManifest("manager/deployment.yaml")
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(k8s.Create(t.Context(), objects[0])).To(Succeed())
	w.Eventually(owner(daemonSet)).Should(Equal("Deployment/registryhub-manager"))
	w.node("n1") // an event for the node configuration
	w.Eventually(owner(configMap)).Should(Equal("Deployment/registryhub-manager"))

	// The operator is deleted: the garbage collector takes what it owned, and nothing makes it anew.
	w.Expect(k8s.Delete(t.Context(), objects[0])).To(Succeed())
	w.Expect(k8s.Delete(t.Context(), daemonSet)).To(Succeed())
	w.Expect(k8s.Delete(t.Context(), configMap)).To(Succeed())
	w.Consistently(func() bool {
		return apierrors.IsNotFound(k8s.Get(ctxOf(), client.ObjectKeyFromObject(daemonSet), daemonSet)) &&
			apierrors.IsNotFound(k8s.Get(ctxOf(), client.ObjectKeyFromObject(configMap), configMap))
	}).Should(BeTrue())
	restart(t)
	w.Eventually(func() error { return k8s.Get(ctxOf(), client.ObjectKeyFromObject(daemonSet), daemonSet) }).Should(Succeed())
}
