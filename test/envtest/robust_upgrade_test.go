package envtest

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/registryhub/registryhub/api/v1alpha1"
)

// withoutOperator does something while no manager runs.
func (w *world) withoutOperator(do func()) {
	w.t.Helper()
	w.Expect(operator.stop()).To(Succeed())
	defer w.manageAsUsual()
	do()
}

// define has the API server serve our kinds as the files of a folder, below config/, say.
func (w *world) defineFrom(folder string) {
	w.t.Helper()
	for _, kind := range []string{"registryhubs", "nodemirrors"} {
		objects, err := readManifest(filepath.Join(folder, "registryhub.io_"+kind+".yaml"))
		w.Expect(err).NotTo(HaveOccurred())
		w.Eventually(func() error {
			live := &unstructured.Unstructured{}
			live.SetGroupVersionKind(objects[0].GroupVersionKind())
			if err := k8s.Get(ctxOf(), client.ObjectKeyFromObject(objects[0]), live); err != nil {
				return err
			}
			live.Object["spec"] = objects[0].Object["spec"]
			return k8s.Update(ctxOf(), live)
		}).Should(Succeed())
	}
}

// knowsScrubs says whether the API server serves hubs with the field spec.storage.scrub, which the first of their kind
// did not have.
func (w *world) knowsScrubs() bool {
	hub := unstructuredHub("probe", "probe.example")
	w.Expect(unstructured.SetNestedField(hub.Object, "24h", "spec", "storage", "scrub", "every")).To(Succeed())
	if err := k8s.Create(ctxOf(), hub, client.DryRunAll); err != nil {
		return false
	}
	_, found, err := unstructured.NestedMap(hub.Object, "spec", "storage", "scrub")
	w.Expect(err).NotTo(HaveOccurred())
	return found
}

// unstructuredHub has what a person writes, and nothing that today's types add.
func unstructuredHub(name, host string) *unstructured.Unstructured {
	hub := &unstructured.Unstructured{Object: map[string]any{
		"spec": map[string]any{
			"hosts": []any{host}, "mode": "Mirror", "mirror": map[string]any{},
			"storage": map[string]any{"type": "Ephemeral"},
		},
	}}
	hub.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("RegistryHub"))
	hub.SetName(name)
	return hub
}

// The first kinds of the project are in testdata.
func TestAHubThatWasStoredWithTheFirstKindsLivesOn(t *testing.T) {
	w := begin(t)
	w.twoNodes()
	w.withoutOperator(func() {
		w.defineFrom("../test/envtest/testdata/first")
		defer w.defineFrom("crd/bases")
		w.Eventually(w.knowsScrubs).Should(BeFalse(), "the first kinds are served")
		w.Expect(k8s.Create(t.Context(), unstructuredHub("stored", "stored.example"))).To(Succeed())
	})
	w.t.Cleanup(func() { w.removeByForce("stored") })
	w.Eventually(w.knowsScrubs).Should(BeTrue(), "today's kinds are served")
	observed.complaints() // what was seen of the first kinds was not for today's rules

	w.ready("stored")
	w.Expect(k8s.Create(t.Context(), unstructuredHub("fresh", "fresh.example"))).To(Succeed())
	w.t.Cleanup(func() { w.removeByForce("fresh") })
	w.ready("fresh")
	stored, fresh := w.get("stored").Spec, w.get("fresh").Spec
	stored.Hosts, fresh.Hosts = nil, nil
	if diff := cmp.Diff(fresh, stored); diff != "" {
		t.Errorf("the spec that was stored is not what one is that is made now (-now +stored):\n%s", diff)
	}
	was, is := &appsv1.Deployment{}, &appsv1.Deployment{}
	w.Expect(w.child("stored", was)).To(Succeed())
	w.Expect(w.child("fresh", is)).To(Succeed())
	if diff := cmp.Diff(is.Spec.Template.Spec.Containers[0].Args, was.Spec.Template.Spec.Containers[0].Args); diff != "" {
		t.Errorf("its proxy runs with other arguments (-now +stored):\n%s", diff)
	}
}
