package manifests

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/yaml"
)

// beyondRestricted is what each component, or one golden file, needs that the restricted standard forbids; the others need
// nothing.
var beyondRestricted = map[string][]string{
	// Root's directory of containerd, seen and probed from where containerd is.
	"node-agent": {"host namespaces", "probe or lifecycle host", "restricted volume types", "runAsNonRoot != true", "runAsUser=0"},
	// With nodeAgent metrics, which are off by default, also the port of the host that they are at.
	"daemonset-metrics.yaml": {
		"host namespaces", "hostPort", "probe or lifecycle host", "restricted volume types", "runAsNonRoot != true", "runAsUser=0",
	},
	// Changes containerd's configuration and restarts it, where that is turned on.
	"remedy": {
		"forbidden AppArmor profile", "host namespaces", "seLinuxOptions", "unrestricted capabilities", "restricted volume types",
		"runAsNonRoot != true", "runAsUser=0",
	},
}

func TestPodsKeepToTheRestrictedStandard(t *testing.T) {
	t.Parallel()
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	seen := map[string]bool{}
	for name, template := range podTemplates(t) {
		component := template.Labels["app.kubernetes.io/component"]
		seen[component] = true
		var violated []string
		for _, result := range evaluator.EvaluatePod(restricted, &template.ObjectMeta, &template.Spec) {
			if !result.Allowed {
				violated = append(violated, result.ForbiddenReason)
			}
		}
		want, special := beyondRestricted[name]
		if !special {
			want = beyondRestricted[component]
		}
		if diff := cmp.Diff(want, violated); diff != "" {
			t.Errorf("%s: what goes beyond the restricted standard (-want +got):\n%s", name, diff)
		}
	}
	for _, component := range []string{"manager", "proxy", "node-agent", "remedy"} {
		if !seen[component] {
			t.Errorf("no Pod template of a %s was found: the test looks in the wrong place", component)
		}
	}
}

// podTemplates are those of the manifests, and those that the manager makes, which are its builders' golden files.
func podTemplates(t *testing.T) map[string]corev1.PodTemplateSpec {
	t.Helper()
	objects := only(render(t, filepath.Join(root, "config", "default")), "Deployment", "DaemonSet", "Job", "StatefulSet")
	names := make([]string, len(objects))
	for i := range objects {
		names[i] = objects[i].GetName()
	}
	files, err := filepath.Glob(filepath.Join(root, "controllers", "resources", "testdata", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		object := unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(read(t, file)), &object.Object); err != nil {
			t.Fatalf("reading %s: %v", file, err)
		}
		objects, names = append(objects, object), append(names, filepath.Base(file))
	}
	templates := map[string]corev1.PodTemplateSpec{}
	for i, object := range objects {
		var workload struct {
			Spec struct {
				Template corev1.PodTemplateSpec `json:"template"`
			} `json:"spec"`
		}
		content, err := yaml.Marshal(object.Object)
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(content, &workload); err == nil && len(workload.Spec.Template.Spec.Containers) > 0 {
			templates[names[i]] = workload.Spec.Template
		}
	}
	return templates
}
