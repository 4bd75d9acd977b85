package resources_test

import (
	"flag"
	"fmt"
	"net/netip"
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
	hub.Spec.Mirror.Prewarm = &v1alpha1.PrewarmSpec{
		Images: []v1alpha1.PrewarmImage{"docker.io/team/app:1"}, Platforms: []v1alpha1.PrewarmPlatform{"linux/arm64"},
	}
	hub.Spec.Mirror.FallbackRules = []v1alpha1.FallbackRule{{Name: "doubled", OnStatus: []int32{404}, Match: "([^/]+)", Rewrite: "$1/$1"}}
	hub.Spec.Proxy = v1alpha1.ProxySpec{
		Resources:    corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("256Mi")}},
		NodeSelector: map[string]string{"pool": "infra"},
		Tolerations: []corev1.Toleration{
			{Key: "infra", Operator: corev1.TolerationOpExists},
			{Key: "k", Operator: corev1.TolerationOpEqual, Value: "v", Effect: corev1.TaintEffectNoExecute, TolerationSeconds: new(int64(30))},
		},
		PriorityClassName: "system-cluster-critical",
		Affinity: &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
			NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{
				{Key: "disk", Operator: corev1.NodeSelectorOpIn, Values: []string{"ssd"}},
			}}},
		}}},
		TopologySpreadConstraints: []corev1.TopologySpreadConstraint{{
			MaxSkew: 2, TopologyKey: "zone", WhenUnsatisfiable: corev1.DoNotSchedule, LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}},
		}},
		Annotations: map[string]string{"sidecar.istio.io/inject": "false"},
		Labels:      map[string]string{"cost-center": "platform"},
		Env: []v1alpha1.ProxyEnvVar{
			{Name: "EMPTY"},
			{Name: "NO_PROXY", Value: ".corp.example"},
			{Name: "HTTPS_PROXY", ValueFrom: &v1alpha1.ProxyEnvSource{SecretKeyRef: v1alpha1.SecretKeyReference{Name: "corp-proxy", Key: "url"}}},
		},
		Image:            "registry.corp.example/mirrored/registryhub:v1",
		ImagePullSecrets: []v1alpha1.SecretReference{{Name: "corp-registry"}},
	}
	return hub
}

// several is a hub that can have several Pods, and has two.
func several() *v1alpha1.RegistryHub {
	hub := plain()
	hub.Spec.Storage.PersistentVolumeClaim.AccessModes = []corev1.PersistentVolumeAccessMode{corev1.ReadWriteMany}
	hub.Spec.Proxy.Replicas = new(int32(2))
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

// inBucket keeps its cache in a bucket.
func inBucket() *v1alpha1.RegistryHub {
	hub := plain()
	hub.Spec.Storage.Type, hub.Spec.Storage.PersistentVolumeClaim = v1alpha1.StorageS3, nil
	hub.Spec.Storage.S3 = &v1alpha1.S3Storage{
		Endpoint: "https://s3.eu-central-1.amazonaws.com", Region: "eu-central-1", Bucket: "images",
		CredentialsSecretRef: v1alpha1.SecretReference{Name: "images-bucket"},
		CABundleRef:          &v1alpha1.CABundleReference{Kind: v1alpha1.CABundleConfigMap, Name: "corp-ca", Key: "ca.crt"},
		MaxSize:              resource.MustParse("500Gi"), Scratch: v1alpha1.S3Scratch{SizeLimit: new(resource.MustParse("20Gi"))}, Redirects: true,
	}
	return hub
}

// pushedTo is a registry, from which anyone may pull.
func pushedTo() *v1alpha1.RegistryHub {
	hub := several()
	hub.Name, hub.Spec.Hosts = "internal", []v1alpha1.RegistryHost{"registry.internal"}
	hub.Spec.Mode, hub.Spec.Mirror = v1alpha1.HubModeLocal, nil
	hub.Spec.Local = &v1alpha1.LocalSpec{ImmutableTags: []string{".*:v[0-9]+"}, Sparse: true}
	hub.Spec.Endpoint.Scheme = v1alpha1.EndpointHTTPS
	hub.Spec.Access.HtpasswdSecretRef = &v1alpha1.SecretReference{Name: "registry-users"}
	return hub
}

// knowingTheCluster is a registry that is pushed to by ServiceAccounts.
func knowingTheCluster() *v1alpha1.RegistryHub {
	hub := pushedTo()
	hub.Spec.Access.HtpasswdSecretRef, hub.Spec.Access.Kubernetes = nil, &v1alpha1.KubernetesAccess{}
	return hub
}

func TestGolden(t *testing.T) {
	t.Parallel()
	agent := configv1alpha1.NodeAgentConfiguration{CertsDirectory: "/etc/containerd/certs.d", RunDirectory: "/run/registryhub"}
	proving := agent
	proving.Canary = configv1alpha1.CanaryConfiguration{Enabled: new(true), Interval: &metav1.Duration{Duration: time.Hour}}
	told := agent
	told.MetricsAddress = ":20255"
	cases := map[string]any{
		"deployment-plain":      resources.Deployment(plain(), settings, "hash", nil),
		"deployment-rich":       resources.Deployment(rich(), settings, "hash", nil),
		"deployment-several":    resources.Deployment(several(), settings, "hash", nil),
		"deployment-local":      resources.Deployment(pushedTo(), settings, "hash", nil),
		"deployment-identities": resources.Deployment(knowingTheCluster(), settings, "hash", nil),
		"deployment-bucket":     resources.Deployment(inBucket(), settings, "hash", nil),
		"poddisruptionbudget":   resources.PodDisruptionBudget(several(), settings),
		"daemonset-metrics":     resources.DaemonSet(settings, told),
		"service":               resources.Service(plain(), settings),
		"persistentvolumeclaim": resources.PersistentVolumeClaim(plain(), settings, nil, resource.MustParse("100Gi")),
		"daemonset":             resources.DaemonSet(settings, proving),
		"daemonset-unproven":    resources.DaemonSet(settings, agent),
		"remedyjob": resources.RemedyJob(settings, resources.Remedy{
			Node: "worker-1", NodeUID: "uid-of-worker-1", Cause: "cause", CertsDirectory: "/etc/containerd/certs.d", Restart: true,
		}),
		"certificate": resources.IssuedCertificate(plain(), settings, v1alpha1.IssuerReference{Group: v1alpha1.CertManagerGroup, Kind: "ClusterIssuer", Name: "corp-ca"},
			resources.ServiceHosts(plain(), settings), []netip.Addr{netip.MustParseAddr("10.96.31.7"), netip.MustParseAddr("fd00::7")}, 2160*time.Hour),
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
	for name, hub := range map[string]*v1alpha1.RegistryHub{"plain": plain(), "rich": rich(), "any": anyHost(), "bucket": inBucket(), "local": pushedTo(), "identities": knowingTheCluster()} {
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

func TestAClaimThatIsThereKeepsWhatCannotBeChanged(t *testing.T) {
	t.Parallel()
	hub := plain()
	hub.Spec.Storage.PersistentVolumeClaim.StorageClassName = new("fast")
	live := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{v1alpha1.AnnotationGrownAt: "2026-01-02T03:04:05Z", "somebody": "else"}},
		Spec: corev1.PersistentVolumeClaimSpec{
			StorageClassName: new("slow"), AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
		},
	}
	for name, tc := range map[string]struct {
		live *corev1.PersistentVolumeClaim
		want string
	}{
		"none":                           {nil, "fast [ReadWriteOncePod] map[]"},
		"of another class and mode":      {live, "slow [ReadWriteOnce] map[registryhub.io/grown-at:2026-01-02T03:04:05Z]"},
		"of no class, and not yet bound": {&corev1.PersistentVolumeClaim{}, "fast [] map[]"},
		"of no class, and bound":         {&corev1.PersistentVolumeClaim{Spec: corev1.PersistentVolumeClaimSpec{VolumeName: "pv"}}, " [] map[]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			claim := resources.PersistentVolumeClaim(hub, settings, tc.live, resource.MustParse("200Gi"))
			class := ""
			if claim.Spec.StorageClassName != nil {
				class = *claim.Spec.StorageClassName
			}
			if diff := cmp.Diff(tc.want, fmt.Sprint(class, " ", claim.Spec.AccessModes, " ", claim.Annotations)); diff != "" {
				t.Errorf("class, modes and annotations (-want +got):\n%s", diff)
			}
			if got := (*claim.Spec.Resources.Requests)[corev1.ResourceStorage]; got.String() != "200Gi" {
				t.Errorf("it asks for %s", got.String())
			}
		})
	}
	if claim := resources.PersistentVolumeClaim(rich(), settings, nil, resource.Quantity{}); claim != nil {
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
		"a proxy":     {resources.Deployment(plain(), settings, "hash", nil).Spec.Template.Labels, true},
		"the manager": {map[string]string{"app.kubernetes.io/name": "registryhub", "app.kubernetes.io/component": "manager"}, false},
		"another's":   {map[string]string{"app.kubernetes.io/component": "proxy"}, false},
		"without any": {nil, false},
	} {
		if got := resources.WatchedPods().Matches(labels.Set(tc.labels)); got != tc.want {
			t.Errorf("%s is watched: %v, want %v", name, got, tc.want)
		}
	}
}

func TestTheNumberOfPods(t *testing.T) {
	t.Parallel()
	unsaid := several()
	unsaid.Spec.Proxy.Replicas = nil
	for name, tc := range map[string]struct {
		hub  *v1alpha1.RegistryHub
		held *int32
		want *int32
	}{
		"one, on storage that is one Pod's":               {plain(), nil, new(int32(1))},
		"one, on storage that goes with the Pod":          {rich(), nil, new(int32(1))},
		"one, whatever it was":                            {plain(), new(int32(3)), new(int32(1))},
		"as the spec says":                                {several(), new(int32(5)), new(int32(2))},
		"somebody else's to say":                          {unsaid, nil, nil},
		"as it was, until somebody else says another one": {unsaid, new(int32(3)), new(int32(3))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, resources.Deployment(tc.hub, settings, "hash", tc.held).Spec.Replicas); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAHubThatCanHaveOnePodHasNoBudget(t *testing.T) {
	t.Parallel()
	for _, hub := range []*v1alpha1.RegistryHub{plain(), rich()} {
		if budget := resources.PodDisruptionBudget(hub, settings); budget != nil {
			t.Errorf("hub %s has %+v", hub.Name, budget)
		}
	}
}

func TestAConstraintThatSelectsNothingIsAboutTheHubsPods(t *testing.T) {
	t.Parallel()
	hub := several()
	hub.Spec.Proxy.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{MaxSkew: 1, TopologyKey: "zone", WhenUnsatisfiable: corev1.DoNotSchedule}}
	deployment := resources.Deployment(hub, settings, "hash", nil)
	constraints := deployment.Spec.Template.Spec.TopologySpreadConstraints
	if len(constraints) != 1 || *constraints[0].TopologyKey != "zone" {
		t.Fatalf("constraints are %+v, want the one of the spec", constraints)
	}
	if diff := cmp.Diff(deployment.Spec.Selector.MatchLabels, constraints[0].LabelSelector.MatchLabels); diff != "" {
		t.Errorf("it selects (-want +got):\n%s", diff)
	}
}
