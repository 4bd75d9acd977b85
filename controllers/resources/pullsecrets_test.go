package resources_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/controllers/resources"
)

func TestEveryPodIsPulledWithTheOperatorsSecrets(t *testing.T) {
	t.Parallel()
	inside := settings
	inside.ImagePullSecrets = []string{"inside", "mirror"}
	for name, workload := range map[string]any{
		"a proxy":  resources.Deployment(plain(), inside, "hash", nil),
		"an agent": resources.DaemonSet(inside, configv1alpha1.NodeAgentConfiguration{}),
		"a remedy": resources.RemedyJob(inside, resources.Remedy{Node: "worker-1"}),
	} {
		var read struct {
			Spec struct{ Template corev1.PodTemplateSpec }
		}
		data, err := json.Marshal(workload)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, &read); err != nil {
			t.Fatal(err)
		}
		want := []corev1.LocalObjectReference{{Name: "inside"}, {Name: "mirror"}}
		if diff := cmp.Diff(want, read.Spec.Template.Spec.ImagePullSecrets); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
