package manifests

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes/fake"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/controllers"
)

func TestTheSingleFileIsConfigDefault(t *testing.T) {
	t.Parallel()
	written, err := objectsIn([]byte(read(t, filepath.Join(root, "dist", "install.yaml"))))
	if err != nil {
		t.Fatalf("reading dist/install.yaml: %v", err)
	}
	want := render(t, filepath.Join(root, "config", "default"))
	if diff := cmp.Diff(kindsAndNames(want), kindsAndNames(written)); diff != "" {
		t.Fatalf("dist/install.yaml is not config/default: run `make manifests` (-want +got):\n%s", diff)
	}
	for i := range want {
		if asJSON(t, want[i]) != asJSON(t, written[i]) {
			t.Errorf("%s %s in dist/install.yaml is not that of config/default: run `make manifests`", want[i].GetKind(), want[i].GetName())
		}
	}
}

// A file of any size is stored; kubectl apply without --server-side keeps a copy of each object in an annotation, which is not.
func TestObjectsCanBeAppliedFromTheClientsSide(t *testing.T) {
	t.Parallel()
	const most = 256 << 10 // of all annotations of an object (k8s.io/apimachinery/pkg/api/validation, TotalAnnotationSizeLimitB)
	for _, object := range render(t, filepath.Join(root, "config", "default")) {
		if size := len(asJSON(t, object)); size > most*9/10 {
			t.Errorf("%s %s is %d bytes in JSON, and kubectl apply keeps at most %d", object.GetKind(), object.GetName(), size, most)
		}
	}
}

func TestTheAirGappedOperatorIsOneImageByItsDigest(t *testing.T) {
	t.Parallel()
	const want = "registry.corp.example/platform/registryhub@sha256:0000000000000000000000000000000000000000000000000000000000000000"
	workloads := only(render(t, filepath.Join(root, "config", "air-gapped")), "Deployment", "DaemonSet", "StatefulSet", "Job", "CronJob")
	if len(workloads) != 1 {
		t.Fatalf("the overlay has %v, want the manager alone", kindsAndNames(workloads))
	}
	manager := &appsv1.Deployment{}
	into(t, workloads[0], manager)
	for _, container := range manager.Spec.Template.Spec.Containers {
		if container.Image != want {
			t.Errorf("the container %s runs %s, want %s", container.Name, container.Image, want)
		}
	}
	configuration := &configv1alpha1.OperatorConfiguration{Namespace: manager.Namespace}
	if err := controllers.ResolveImage(t.Context(), fake.NewClientset(manager).AppsV1(), configuration); err != nil {
		t.Fatal(err)
	}
	wantSettings := []string{want, "corp-registry"}
	if diff := cmp.Diff(wantSettings, append([]string{configuration.Image}, configuration.ImagePullSecrets...)); diff != "" {
		t.Errorf("what the manager gives to the proxies and the agents (-want +got):\n%s", diff)
	}
}

func kindsAndNames(objects []unstructured.Unstructured) []string {
	names := make([]string, len(objects))
	for i, object := range objects {
		names[i] = object.GetKind() + " " + object.GetNamespace() + "/" + object.GetName()
	}
	return names
}

// asJSON is comparable whichever parser read the numbers.
func asJSON(t *testing.T, object unstructured.Unstructured) string {
	t.Helper()
	content, err := object.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
