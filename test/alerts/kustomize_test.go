package alerts

import (
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/resources"
)

// render gives the objects of a folder of config/, by kind and name.
func render(t *testing.T, folder string) map[string]*unstructured.Unstructured {
	t.Helper()
	made, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join(root, "config", folder))
	must(t, err)
	objects := map[string]*unstructured.Unstructured{}
	for _, resource := range made.Resources() {
		content, err := resource.Map()
		must(t, err)
		object := &unstructured.Unstructured{Object: content}
		objects[object.GetKind()+" "+object.GetName()] = object
	}
	return objects
}

type podMonitor struct {
	Spec struct {
		Selector struct {
			MatchLabels map[string]string `json:"matchLabels"`
		} `json:"selector"`
		Endpoints []struct {
			Port        string `json:"port"`
			Relabelings []struct {
				SourceLabels []string `json:"sourceLabels"`
				TargetLabel  string   `json:"targetLabel"`
			} `json:"relabelings"`
		} `json:"podMetricsEndpoints"`
	} `json:"spec"`
}

func (m podMonitor) selects(labels map[string]string) bool {
	for name, value := range m.Spec.Selector.MatchLabels {
		if labels[name] != value {
			return false
		}
	}
	return len(m.Spec.Selector.MatchLabels) > 0
}

func read(t *testing.T, object *unstructured.Unstructured) (m podMonitor) {
	t.Helper()
	text, err := yaml.Marshal(object)
	must(t, err)
	must(t, yaml.Unmarshal(text, &m))
	return m
}

func TestTheMonitorsSelectWhatThereIs(t *testing.T) {
	t.Parallel()
	rendered := render(t, "prometheus")
	if rendered["PrometheusRule registryhub"] == nil {
		t.Errorf("there is no rule among %d objects", len(rendered))
	}
	hub := &v1alpha1.RegistryHub{}
	hub.Name = "docker-io"
	proxies := resources.Deployment(hub, resources.Settings{Namespace: "registryhub-system"}, "hash", nil).Spec.Template
	m := read(t, rendered["PodMonitor registryhub-proxies"])
	if !m.selects(proxies.Labels) || m.Spec.Endpoints[0].Port != *proxies.Spec.Containers[0].Ports[1].Name {
		t.Errorf("the proxies' Pods have the labels %v, and the monitor is %+v", proxies.Labels, m)
	}
	label := "__meta_kubernetes_pod_label_" + strings.NewReplacer(".", "_", "/", "_").Replace(v1alpha1.LabelHub)
	if r := m.Spec.Endpoints[0].Relabelings; len(r) != 1 || r[0].TargetLabel != "hub" || r[0].SourceLabels[0] != label {
		t.Errorf("the label hub comes from %+v, want %s", r, label)
	}
	agent := configv1alpha1.NodeAgentConfiguration{MetricsAddress: ":20255"}
	agents := resources.DaemonSet(resources.Settings{Namespace: "registryhub-system"}, agent).Spec.Template
	m = read(t, rendered["PodMonitor registryhub-node-agents"])
	if !m.selects(agents.Labels) || m.Spec.Endpoints[0].Port != *agents.Spec.Containers[0].Ports[0].Name {
		t.Errorf("the agents' Pods have the labels %v, and the monitor is %+v", agents.Labels, m)
	}
	deployment := render(t, "manager")["Deployment registryhub-manager"]
	labels, _, err := unstructured.NestedStringMap(deployment.Object, "spec", "template", "metadata", "labels")
	must(t, err)
	text, err := yaml.Marshal(deployment)
	must(t, err)
	manager := read(t, rendered["PodMonitor registryhub-manager"])
	if !manager.selects(labels) || !strings.Contains(string(text), "name: "+manager.Spec.Endpoints[0].Port+"\n") {
		t.Errorf("the manager's Pods have the labels %v, and the monitor is %+v", labels, manager)
	}
}

func TestTheDashboardIsAConfigMap(t *testing.T) {
	t.Parallel()
	object := render(t, "grafana")["ConfigMap registryhub-dashboard"]
	if object == nil || object.GetLabels()["grafana_dashboard"] != "1" {
		t.Fatalf("rendered %v", object)
	}
	data, _, err := unstructured.NestedStringMap(object.Object, "data")
	must(t, err)
	if !strings.Contains(data["registryhub.json"], `"uid": "registryhub"`) {
		t.Error("the ConfigMap does not hold the dashboard")
	}
}
