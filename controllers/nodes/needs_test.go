package nodes_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/nodes"
	"github.com/registryhub/registryhub/controllers/resources"
)

func withoutFallback(h *v1alpha1.RegistryHub) { h.Spec.Nodes.Fallback = v1alpha1.NodeFallbackNone }

func staying(entry configv1alpha1.NodeHub) configv1alpha1.NodeHub {
	entry.Fallback = configv1alpha1.NodeFallbackNone
	return entry
}

func need(host string) nodes.Need {
	return nodes.Need{Host: host, Workload: "DaemonSet kube-system/kube-proxy", Image: host + "/kube-proxy:v1"}
}

func TestTheFallbackThatNodesAreTold(t *testing.T) {
	t.Parallel()
	a := hub("a", 1, "a.example")
	none := with(a, withoutFallback)
	plain, alone := entry("a", 2, "a.example"), staying(entry("a", 2, "a.example"))
	cases := map[string]struct {
		present configv1alpha1.NodeHub
		hub     v1alpha1.RegistryHub
		needs   []nodes.Need
		want    *configv1alpha1.NodeHub // without its revision
	}{
		"upstream, as it always was":                {plain, with(a, func(h *v1alpha1.RegistryHub) { h.Spec.Nodes.Fallback = v1alpha1.NodeFallbackUpstream }), nil, &plain},
		"none":                                      {plain, none, nil, &alone},
		"none, and other hosts are needed":          {plain, none, []nodes.Need{need("b.example")}, &alone},
		"none, and its host is needed":              {plain, none, []nodes.Need{need("a.example")}, &plain},
		"none, and its host comes to be so":         {alone, none, []nodes.Need{need("a.example")}, &plain},
		"upstream again":                            {alone, a, nil, &plain},
		"none, before the proxy serves with it":     {plain, with(none, down), nil, &plain},
		"upstream again, from a proxy that is down": {alone, with(a, down), nil, &plain},
		"none, and the proxy is down":               {alone, with(none, down), nil, &alone},
		"none, and the proxy is down elsewhere":     {alone, with(with(none, down), moved), nil, &alone},
		"upstream again, and down elsewhere":        {alone, with(with(a, down), moved), nil, nil},
		"none, and the hub is deleted":              {alone, with(none, going), nil, nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			present := configuration(2, tc.present)
			next := nodes.NextConfiguration(present, 2, []v1alpha1.RegistryHub{tc.hub}, nil, tc.needs, 0, "")
			got := nodes.FindEntry(next, &tc.hub)
			if (got == nil) != (tc.want == nil) {
				t.Fatalf("the entry is %+v, want %+v", got, tc.want)
			}
			if got != nil && !nodes.SameWiring(*got, *tc.want) {
				t.Errorf("the entry (-want +got):\n%s", cmp.Diff(tc.want, got))
			}
			if again := nodes.NextConfiguration(next, max(2, next.Revision), []v1alpha1.RegistryHub{tc.hub}, nil, tc.needs, 0, ""); again != next {
				t.Errorf("it is not at rest: %+v became %+v", next, again)
			}
		})
	}
}

const own = "registryhub-system"

func daemonSet(namespace, name, image string, change func(*corev1.PodSpec)) *appsv1.DaemonSet {
	d := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"a": "b"}}}
	d.Spec.Template.Spec = corev1.PodSpec{
		InitContainers: []corev1.Container{{Name: "init", Image: image + "-init"}},
		Containers:     []corev1.Container{{Name: "main", Image: image, Env: []corev1.EnvVar{{Name: "SECRET", Value: "s"}}}},
	}
	if change != nil {
		change(&d.Spec.Template.Spec)
	}
	return d
}

func class(name string) func(*corev1.PodSpec) {
	return func(pod *corev1.PodSpec) { pod.PriorityClassName = name }
}

func mounting(path string) func(*corev1.PodSpec) {
	return func(pod *corev1.PodSpec) {
		pod.Volumes = []corev1.Volume{
			{Name: "other", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
			{Name: "host", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: path}}},
		}
	}
}

func TestWhatAHubNeedsToStart(t *testing.T) {
	t.Parallel()
	const operator = "registry.example.com/registryhub:v1"
	for name, tc := range map[string]struct {
		object client.Object
		want   string // the workload; "" for none
	}{
		"kube-proxy":                        {daemonSet("kube-system", "x", "registry.k8s.io/x:1", class("system-node-critical")), "DaemonSet kube-system/x"},
		"what a cluster cannot do without":  {daemonSet("a", "x", "registry.k8s.io/x:1", class("system-cluster-critical")), "DaemonSet a/x"},
		"a network plug-in":                 {daemonSet("cni", "x", "registry.k8s.io/x:1", mounting("/etc/cni/net.d")), "DaemonSet cni/x"},
		"a network plug-in of k3s":          {daemonSet("cni", "x", "registry.k8s.io/x:1", mounting("/var/lib/rancher/k3s/agent/etc/cni/net.d/")), "DaemonSet cni/x"},
		"one that installs programs":        {daemonSet("cni", "x", "registry.k8s.io/x:1", mounting("/opt/cni/bin")), "DaemonSet cni/x"},
		"a driver of volumes":               {daemonSet("csi", "x", "registry.k8s.io/x:1", mounting("/var/lib/kubelet/plugins_registry")), "DaemonSet csi/x"},
		"a driver of volumes of another OS": {daemonSet("csi", "x", "registry.k8s.io/x:1", mounting("/data/kubelet/plugins_registry/")), "DaemonSet csi/x"},
		"what collects figures":             {daemonSet("monitoring", "x", "registry.k8s.io/x:1", mounting("/")), ""},
		"what has a class of its own":       {daemonSet("monitoring", "x", "registry.k8s.io/x:1", class("high")), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := []nodes.Need{{Host: "registry.example.com", Workload: "the operator's proxies and agents", Image: operator}}
			if tc.want != "" {
				want = append(want,
					nodes.Need{Host: "registry.k8s.io", Workload: tc.want, Image: "registry.k8s.io/x:1"},
					nodes.Need{Host: "registry.k8s.io", Workload: tc.want, Image: "registry.k8s.io/x:1-init"})
			}
			mustNeed(t, tc.object, operator, want)
		})
	}
	t.Run("the manager itself", func(t *testing.T) {
		t.Parallel()
		manager := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: own, Name: "registryhub-manager"}}
		manager.Spec.Template.Spec.Containers = []corev1.Container{{Image: "team/manager"}}
		mustNeed(t, manager, operator, []nodes.Need{
			{Host: "docker.io", Workload: "Deployment registryhub-system/registryhub-manager", Image: "team/manager"},
			{Host: "registry.example.com", Workload: "the operator's proxies and agents", Image: operator},
		})
	})
}

func TestAHubsOwnImageIsNeededToo(t *testing.T) {
	t.Parallel()
	const operator = "registry.example.com/registryhub:v1"
	hub := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: own, Name: "hub-a", Labels: map[string]string{v1alpha1.LabelHub: "a"}}}
	hub.Spec.Template.Spec.Containers = []corev1.Container{{Image: operator}}
	ours := nodes.Need{Host: "registry.example.com", Workload: "the operator's proxies and agents", Image: operator}
	mustNeed(t, hub, operator, []nodes.Need{ours})
	hub.Spec.Template.Spec.Containers = []corev1.Container{{Image: "quay.io/team/registryhub:v1"}}
	mustNeed(t, hub, operator, []nodes.Need{{Host: "quay.io", Workload: "Deployment registryhub-system/hub-a", Image: "quay.io/team/registryhub:v1"}, ours})
}

func mustNeed(t *testing.T, object client.Object, operator string, want []nodes.Need) {
	t.Helper()
	slim, err := nodes.SlimDaemonSet(own)(object)
	if err != nil {
		t.Fatal(err)
	}
	reader := fake.NewClientBuilder().WithObjects(slim.(client.Object)).Build() //nolint:forcetypeassert // it came in as one
	got, err := nodes.Needs(t.Context(), reader, resources.Settings{Namespace: own, Image: operator})
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v; needs (-want +got):\n%s", err, diff)
	}
}

func TestOfOtherNamespacesDaemonSetsOnlyWhatIsReadIsKept(t *testing.T) {
	t.Parallel()
	foreign, agent := daemonSet("a", "x", "i", mounting("/opt/cni/bin")), daemonSet(own, "x", "i", nil)
	for _, d := range []*appsv1.DaemonSet{foreign, agent} {
		if _, err := nodes.SlimDaemonSet(own)(d); err != nil {
			t.Fatal(err)
		}
	}
	if foreign.Labels != nil || foreign.Spec.Template.Spec.Containers[0].Env != nil || len(foreign.Spec.Template.Spec.Volumes) != 1 {
		t.Errorf("somebody else's: %+v", foreign)
	}
	if agent.Labels == nil || agent.Spec.Template.Spec.Containers[0].Env == nil {
		t.Errorf("our own: %+v", agent)
	}
}
