package resources_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/resources"
)

var update = flag.Bool("update", false, "write the golden files in testdata")

var settings = resources.Settings{Namespace: "registryhub-system", Image: "registry.example.com/registryhub:v1"}

// plain is the smallest hub, with the defaults that the API server fills in.
func plain() *v1alpha1.RegistryHub {
	return &v1alpha1.RegistryHub{
		ObjectMeta: metav1.ObjectMeta{Name: "docker-io", UID: "uid-of-docker-io"},
		Spec: v1alpha1.RegistryHubSpec{
			Hosts: []v1alpha1.RegistryHost{"docker.io", "quay.io"},
			Mode:  v1alpha1.HubModeMirror,
			Mirror: &v1alpha1.MirrorSpec{Tags: v1alpha1.TagsSpec{
				RevalidateAfter: &metav1.Duration{Duration: 5 * time.Minute}, StaleIfError: &metav1.Duration{Duration: 168 * time.Hour},
			}, Segments: v1alpha1.SegmentsSpec{Size: new(resource.MustParse("8Mi")), Parallel: new(int32(4))}},
			Storage: v1alpha1.StorageSpec{
				Type: v1alpha1.StoragePersistentVolumeClaim, PersistentVolumeClaim: &v1alpha1.PersistentVolumeClaimStorage{
					Size: resource.MustParse("100Gi"), AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOncePod},
				},
				Eviction: v1alpha1.EvictionSpec{HighWatermarkPercent: new(int32(90)), LowWatermarkPercent: new(int32(80))},
				Scrub:    v1alpha1.ScrubSpec{Every: &metav1.Duration{Duration: 168 * time.Hour}, BytesPerSecond: new(resource.MustParse("16Mi"))},
			},
		},
	}
}

// rich uses what plain leaves out.
func rich() *v1alpha1.RegistryHub {
	hub := plain()
	hub.Name = "private"
	hub.Spec.Hosts = []v1alpha1.RegistryHost{"docker.io"}
	hub.Spec.Endpoint.Scheme = v1alpha1.EndpointHTTPS
	hub.Spec.Storage = v1alpha1.StorageSpec{
		Type: v1alpha1.StorageEphemeral, Ephemeral: &v1alpha1.EphemeralStorage{SizeLimit: new(resource.MustParse("20Gi"))},
		Eviction: v1alpha1.EvictionSpec{
			HighWatermarkPercent: new(int32(70)), LowWatermarkPercent: new(int32(50)), MaxIdle: &metav1.Duration{Duration: 720 * time.Hour},
		},
		Scrub: v1alpha1.ScrubSpec{Every: &metav1.Duration{}, BytesPerSecond: new(resource.MustParse("1Mi"))},
	}
	hub.Spec.Mirror.Upstreams = []v1alpha1.Upstream{
		{
			Name: "harbor", URL: "https://harbor.example.com/dockerhub",
			CredentialsSecretRef:       &v1alpha1.SecretReference{Name: "harbor-credentials"},
			ClientCertificateSecretRef: &v1alpha1.SecretReference{Name: "harbor-client"},
			CABundleRef:                &v1alpha1.CABundleReference{Kind: v1alpha1.CABundleConfigMap, Name: "corp-ca", Key: "ca.crt"},
		},
		{Name: "backup", URL: "https://backup.example.com", CABundleRef: &v1alpha1.CABundleReference{Kind: v1alpha1.CABundleSecret, Name: "backup-ca", Key: "bundle.pem"}},
	}
	hub.Spec.Mirror.Tags.Rules = []v1alpha1.TagRule{
		{Match: ".*:latest", Policy: v1alpha1.TagPolicyAlways},
		{Match: ".*:main", Policy: v1alpha1.TagPolicyTTL, RevalidateAfter: &metav1.Duration{Duration: 30 * time.Second}},
	}
	hub.Spec.Mirror.Repositories = &v1alpha1.RepositoriesSpec{Allow: []string{"team/.*"}, Deny: []string{"team/secret/.*"}}
	hub.Spec.Mirror.FallbackRules = []v1alpha1.FallbackRule{{Name: "doubled", OnStatus: []int32{404}, Match: "([^/]+)", Rewrite: "$1/$1"}}
	hub.Spec.Proxy = v1alpha1.ProxySpec{
		Resources:    corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("256Mi")}},
		NodeSelector: map[string]string{"pool": "infra"},
		Tolerations: []corev1.Toleration{
			{Key: "infra", Operator: corev1.TolerationOpExists},
			{Key: "k", Operator: corev1.TolerationOpEqual, Value: "v", Effect: corev1.TaintEffectNoExecute, TolerationSeconds: new(int64(30))},
		},
		PriorityClassName: "system-cluster-critical",
	}
	return hub
}

// anyHost is a hub for every host that has none of its own.
func anyHost() *v1alpha1.RegistryHub {
	hub := plain()
	hub.Name = "any"
	hub.Spec.Hosts = []v1alpha1.RegistryHost{v1alpha1.AnyHost}
	hub.Spec.Mirror.AllowedHosts = []v1alpha1.HostPattern{"quay.io", "*.gcr.io", "ghcr.io"}
	return hub
}

func TestGolden(t *testing.T) {
	t.Parallel()
	agent := configv1alpha1.NodeAgentConfiguration{CertsDirectory: "/etc/containerd/certs.d", RunDirectory: "/run/registryhub"}
	proving := agent
	proving.Canary = configv1alpha1.CanaryConfiguration{Enabled: new(true), Interval: &metav1.Duration{Duration: time.Hour}}
	cases := map[string]any{
		"deployment-plain":      resources.Deployment(plain(), settings, "hash"),
		"deployment-rich":       resources.Deployment(rich(), settings, "hash"),
		"service":               resources.Service(plain(), settings),
		"persistentvolumeclaim": resources.PersistentVolumeClaim(plain(), settings, resource.Quantity{}),
		"daemonset":             resources.DaemonSet(settings, proving),
		"daemonset-unproven":    resources.DaemonSet(settings, agent),
		"remedyjob": resources.RemedyJob(settings, resources.Remedy{
			Node: "worker-1", NodeUID: "uid-of-worker-1", Cause: "cause", CertsDirectory: "/etc/containerd/certs.d", Restart: true,
		}),
		"proxy-configmap": resources.ProxyConfigMap(plain(), settings, []byte("rendered\n")),
		"node-configmap":  resources.NodeConfigMap(settings, []byte("rendered\n")),
		"nodemirror":      resources.NodeMirror(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "worker-1", UID: "uid-of-worker-1"}}),
	}
	for name, built := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := yaml.Marshal(built)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name, got)
		})
	}
}

func TestGoldenProxyConfiguration(t *testing.T) {
	t.Parallel()
	for name, hub := range map[string]*v1alpha1.RegistryHub{"plain": plain(), "rich": rich(), "any": anyHost()} {
		got, err := configv1alpha1.Encode(resources.ProxyConfiguration(hub))
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "proxyconfiguration-"+name, got)
		if _, err := configv1alpha1.DecodeProxyConfiguration(got); err != nil {
			t.Errorf("the proxy cannot read what the operator writes for %s: %v", name, err)
		}
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name+".yaml")
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v: run the test with -update, and read what it wrote", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func TestAClaimNeverShrinks(t *testing.T) {
	t.Parallel()
	for requested, want := range map[string]string{"0": "100Gi", "50Gi": "100Gi", "100Gi": "100Gi", "200Gi": "200Gi"} {
		claim := resources.PersistentVolumeClaim(plain(), settings, resource.MustParse(requested))
		if got := (*claim.Spec.Resources.Requests)[corev1.ResourceStorage]; got.String() != want {
			t.Errorf("over a claim of %s it asks for %s, want %s", requested, got.String(), want)
		}
	}
	if claim := resources.PersistentVolumeClaim(rich(), settings, resource.Quantity{}); claim != nil {
		t.Errorf("an ephemeral hub has a claim: %v", claim)
	}
}

func TestUpstreamsHaveNamesOfTheirOwn(t *testing.T) {
	t.Parallel()
	hub := plain()
	hub.Spec.Hosts = []v1alpha1.RegistryHost{"docker.io", "a.example", "a-example", "[fd00::1]:5000", "10.0.0.1:5000"}
	want := []v1alpha1.UpstreamStatus{
		{Name: "docker-io", URL: "https://registry-1.docker.io"},
		{Name: "a-example", URL: "https://a.example"},
		{Name: "a-example-2", URL: "https://a-example"},
		{Name: "fd00-1-5000", URL: "https://[fd00::1]:5000"},
		{Name: "10-0-0-1-5000", URL: "https://10.0.0.1:5000"},
	}
	if diff := cmp.Diff(want, resources.Upstreams(hub)); diff != "" {
		t.Errorf("upstreams (-want +got):\n%s", diff)
	}
}

func TestUpstreamsOfAnyHostAreKnownWhenTheyAreAsked(t *testing.T) {
	t.Parallel()
	if got := resources.Upstreams(anyHost()); got != nil {
		t.Errorf("it has the upstreams %v", got)
	}
}

func TestPullAccess(t *testing.T) {
	t.Parallel()
	credentials := []v1alpha1.Upstream{{Name: "u", CredentialsSecretRef: &v1alpha1.SecretReference{Name: "s"}}}
	certificate := []v1alpha1.Upstream{{Name: "a"}, {Name: "u", ClientCertificateSecretRef: &v1alpha1.SecretReference{Name: "s"}}}
	for name, tc := range map[string]struct {
		upstreams []v1alpha1.Upstream
		pull      v1alpha1.PullAccess
		want      v1alpha1.PullAccess
	}{
		"public":                              {nil, "", v1alpha1.PullAnyone},
		"public, and for nodes only":          {nil, v1alpha1.PullNodes, v1alpha1.PullNodes},
		"with credentials":                    {credentials, "", v1alpha1.PullNodes},
		"with a client certificate":           {certificate, "", v1alpha1.PullNodes},
		"with credentials, in so many words":  {credentials, v1alpha1.PullAnyone, v1alpha1.PullAnyone},
		"with upstreams that ask for nothing": {[]v1alpha1.Upstream{{Name: "u"}}, "", v1alpha1.PullAnyone},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hub := plain()
			hub.Spec.Endpoint.Scheme = v1alpha1.EndpointHTTPS
			hub.Spec.Mirror.Upstreams, hub.Spec.Access.Pull = tc.upstreams, tc.pull
			if got := resources.PullAccess(hub); got != tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
		})
	}
}

func TestThePodIsReplacedOnlyForWhatItsProxyReadsAtTheStart(t *testing.T) {
	t.Parallel()
	hash := func(hub *v1alpha1.RegistryHub) string {
		return configv1alpha1.RestartHash(resources.ProxyConfiguration(hub))
	}
	changed := rich()
	changed.Name, changed.Spec.Endpoint, changed.Spec.Access = plain().Name, plain().Spec.Endpoint, plain().Spec.Access
	if hash(changed) != hash(plain()) {
		t.Error("hubs that differ in all but the name, and in nothing that a start is needed for, have two hashes")
	}
	if changed.Name = "other"; hash(changed) == hash(plain()) {
		t.Error("hubs of two names have one hash")
	}
}

func TestConfigHashIsThatOfTheFile(t *testing.T) {
	t.Parallel()
	rendered, err := configv1alpha1.Encode(resources.ProxyConfiguration(plain()))
	if err != nil {
		t.Fatal(err)
	}
	intent := resources.ProxyConfigMap(plain(), settings, rendered)
	if got, want := resources.ConfigHash(&corev1.ConfigMap{Data: intent.Data}), configv1alpha1.Hash(rendered); got != want {
		t.Errorf("got %q, want that of the file, %q", got, want)
	}
	if got := resources.ConfigHash(&corev1.ConfigMap{}); got != "" {
		t.Errorf("an empty ConfigMap has the hash %q", got)
	}
}

func TestTheWatchedPodsAreAgentsAndProxies(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		labels map[string]string
		want   bool
	}{
		"an agent":    {resources.DaemonSet(settings, configv1alpha1.NodeAgentConfiguration{}).Spec.Template.Labels, true},
		"a proxy":     {resources.Deployment(plain(), settings, "hash").Spec.Template.Labels, true},
		"the manager": {map[string]string{"app.kubernetes.io/name": "registryhub", "app.kubernetes.io/component": "manager"}, false},
		"another's":   {map[string]string{"app.kubernetes.io/component": "proxy"}, false},
		"without any": {nil, false},
	} {
		if got := resources.WatchedPods().Matches(labels.Set(tc.labels)); got != tc.want {
			t.Errorf("%s is watched: %v, want %v", name, got, tc.want)
		}
	}
}
