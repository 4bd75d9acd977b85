package controllers

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
)

func TestResolveImage(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		configured  string
		container   string
		want        string
		wantSecrets []string
		wantErr     bool
	}{
		"the file's own counts": {configured: "a:1", container: "manager", want: "a:1"},
		"left out, it is the manager's, and pulled as it is": {
			container: "manager", want: "registry.example.com/registryhub:v9", wantSecrets: []string{"inside"},
		},
		"no container that could say it": {container: "other", wantErr: true},
		"no Deployment that could":       {wantErr: true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := fake.NewClientset()
			if tc.container != "" {
				cluster = fake.NewClientset(managerWith(corev1.Container{Name: tc.container, Image: "registry.example.com/registryhub:v9"}))
			}
			configuration := &configv1alpha1.OperatorConfiguration{Image: tc.configured, Namespace: "system"}
			err := ResolveImage(t.Context(), cluster.AppsV1(), configuration)
			if (err != nil) != tc.wantErr || configuration.Image != tc.want {
				t.Errorf("got %q and error %v, want %q and an error %v", configuration.Image, err, tc.want, tc.wantErr)
			}
			if diff := cmp.Diff(tc.wantSecrets, configuration.ImagePullSecrets); diff != "" {
				t.Errorf("pull secrets (-want +got):\n%s", diff)
			}
		})
	}
}

func managerWith(container corev1.Container) *appsv1.Deployment {
	deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "system", Name: configv1alpha1.ManagerName}}
	deployment.Spec.Template.Spec.Containers = []corev1.Container{{Name: "sidecar", Image: "x"}, container}
	deployment.Spec.Template.Spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "inside"}}
	return deployment
}
