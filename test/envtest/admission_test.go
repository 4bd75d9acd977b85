package envtest

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/registryhub/registryhub/api/v1alpha1"
)

// good is a hub that every case of the tables changes in one place.
const good = `
apiVersion: registryhub.io/v1alpha1
kind: RegistryHub
metadata: {name: admitted}
spec:
  hosts: [docker.io]
  mode: Mirror
  mirror:
    upstreams: [{name: hub, url: "https://registry-1.docker.io"}]
    fallbackRules: [{name: rule, match: '([^/]+)', rewrite: '$1/$1'}]
    tags: {revalidateAfter: 5m}
  storage:
    type: PersistentVolumeClaim
    persistentVolumeClaim: {size: 10Gi, storageClassName: fast}
  nodes: {dialTimeout: 1s}
`

func parse(t *testing.T, manifest string) *unstructured.Unstructured {
	t.Helper()
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(manifest), &object.Object); err != nil {
		t.Fatalf("the test's own manifest: %v", err)
	}
	return object
}

func changed(t *testing.T, old, replacement string) *unstructured.Unstructured {
	t.Helper()
	if !strings.Contains(good, old) {
		t.Fatalf("%q is not in the good manifest", old)
	}
	return parse(t, strings.Replace(good, old, replacement, 1))
}

func TestWhatIsRefused(t *testing.T) {
	upstream := `[{name: hub, url: "https://registry-1.docker.io"}]`
	for name, tc := range map[string]struct{ old, replacement, want string }{
		"a name of 41 characters":           {"name: admitted", "name: a" + strings.Repeat("b", 40), "at most 40 characters"},
		"a name with a dot":                 {"name: admitted", "name: docker.io", "RFC 1035 label"},
		"a name that begins in a digit":     {"name: admitted", "name: 1docker", "beginning with a letter"},
		"no host":                           {"[docker.io]", "[]", "should have at least 1 items"},
		"a host with a scheme":              {"[docker.io]", "['https://docker.io']", "a host has no scheme"},
		"a host with a path":                {"[docker.io]", "[docker.io/library]", "a host has no path"},
		"a host with a user":                {"[docker.io]", "['me@docker.io']", "a host has no user information"},
		"a host with a query":               {"[docker.io]", "['docker.io?ns=x']", "a host has no query"},
		"a host in capitals":                {"[docker.io]", "[Docker.io]", "lower-case DNS name"},
		"a host with a bad port":            {"[docker.io]", "['docker.io:port']", "lower-case DNS name"},
		"the same host twice":               {"[docker.io]", "[docker.io, docker.io]", "Duplicate value"},
		"a mode that is not one":            {"mode: Mirror", "mode: Magic", `Unsupported value: "Magic"`},
		"no mirror":                         {good[strings.Index(good, "  mirror:"):strings.Index(good, "  storage:")], "", "spec.mirror must be set when spec.mode is Mirror"},
		"two hosts and an upstream":         {"[docker.io]", "[docker.io, quay.io]", "only for a hub with a single host"},
		"an upstream without a scheme":      {upstream, "[{name: hub, url: registry-1.docker.io}]", "absolute http or https URL"},
		"an upstream by ftp":                {upstream, "[{name: hub, url: 'ftp://x.example'}]", "absolute http or https URL"},
		"an upstream with a user":           {upstream, "[{name: hub, url: 'https://me:secret@x.example'}]", "no user information"},
		"an upstream with a query":          {upstream, "[{name: hub, url: 'https://x.example?a=b'}]", "no query and no fragment"},
		"an upstream with a fragment":       {upstream, "[{name: hub, url: 'https://x.example#a'}]", "no query and no fragment"},
		"a certificate without TLS":         {upstream, "[{name: hub, url: 'http://x.example', clientCertificateSecretRef: {name: a}}]", "needs an https url"},
		"an upstream's name in capital":     {upstream, "[{name: Hub, url: 'https://x.example'}]", "should match"},
		"two upstreams of one name":         {upstream, "[{name: a, url: 'https://x.example'}, {name: a, url: 'https://y.example'}]", "Duplicate value"},
		"a rule on status 500":              {"{name: rule, ", "{name: rule, onStatus: [500], ", "Unsupported value: 500"},
		"a rule that matches nothing":       {"match: '([^/]+)'", "match: ''", "at least 1 chars"},
		"a negative time":                   {"revalidateAfter: 5m", "revalidateAfter: -5m", "must be from 0s to 8760h"},
		"a time that is none":               {"revalidateAfter: 5m", "revalidateAfter: soon", "revalidateAfter"},
		"a tag policy that is not one":      {"revalidateAfter: 5m", "rules: [{match: a, policy: Sometimes}]", `Unsupported value: "Sometimes"`},
		"a tag rule of no policy":           {"revalidateAfter: 5m", "rules: [{match: a}]", "policy: Required value"},
		"a frozen tag with a time":          {"revalidateAfter: 5m", "rules: [{match: a, policy: Frozen, revalidateAfter: 1m}]", "revalidateAfter is for policy TTL alone"},
		"a tag rule's time of years":        {"revalidateAfter: 5m", "rules: [{match: a, policy: TTL, revalidateAfter: 9000h}]", "must be from 0s to 8760h"},
		"an empty denied repository":        {"tags: {", "repositories: {deny: ['']}\n    tags: {", "at least 1 chars"},
		"repositories of nothing":           {"tags: {", "repositories: {}\n    tags: {", "at least 1 properties"},
		"every host without a list":         {"[docker.io]", "['*']", "spec.mirror.allowedHosts must be set with the host *"},
		"a list without every host":         {"  mirror:", "  mirror:\n    allowedHosts: [quay.io]", "and must not be set otherwise"},
		"a list of nothing":                 {"  mirror:", "  mirror:\n    allowedHosts: []", "should have at least 1 items"},
		"a list of every host":              {"  mirror:", "  mirror:\n    allowedHosts: ['*']", "an allowed host is a registry host"},
		"a list of a top level":             {"  mirror:", "  mirror:\n    allowedHosts: ['*.com']", "an allowed host is a registry host"},
		"a list with a star inside":         {"  mirror:", "  mirror:\n    allowedHosts: ['a.*.example.com']", "an allowed host is a registry host"},
		"every host and one more":           {"[docker.io]", "['*', docker.io]", "the host * stands alone"},
		"a low watermark at the high":       {"    type: PersistentVolumeClaim", "    eviction: {lowWatermarkPercent: 90}\n    type: PersistentVolumeClaim", "lowWatermarkPercent must be below highWatermarkPercent"},
		"a watermark of all":                {"    type: PersistentVolumeClaim", "    eviction: {highWatermarkPercent: 100}\n    type: PersistentVolumeClaim", "less than or equal to 99"},
		"an idle time of an hour":           {"    type: PersistentVolumeClaim", "    eviction: {maxIdle: 1h}\n    type: PersistentVolumeClaim", "maxIdle must be from 2h"},
		"a scrub of a minute":               {"    type: PersistentVolumeClaim", "    scrub: {every: 1m}\n    type: PersistentVolumeClaim", "must be 0s, or from 1h to 8760h"},
		"a scrub of nothing":                {"    type: PersistentVolumeClaim", "    scrub: {bytesPerSecond: 1}\n    type: PersistentVolumeClaim", "bytesPerSecond must be at least 1Mi"},
		"a dial time-out of a minute":       {"dialTimeout: 1s", "dialTimeout: 60s", "must be from 100ms to 30s"},
		"a fallback that is not one":        {"dialTimeout: 1s", "fallback: Elsewhere", `Unsupported value: "Elsewhere"`},
		"no fallback, and theirs":           {"dialTimeout: 1s", "fallback: None, foreignConfig: Adopt", "spec.nodes.fallback None cannot go with"},
		"a storage that is not one":         {"type: PersistentVolumeClaim", "type: Tape", `Unsupported value: "Tape"`},
		"ephemeral with a claim":            {"type: PersistentVolumeClaim", "type: Ephemeral", "spec.storage.persistentVolumeClaim must be set when"},
		"a claim with ephemeral beside":     {"type: PersistentVolumeClaim", "type: PersistentVolumeClaim\n    ephemeral: {}", "spec.storage.ephemeral must not be set"},
		"a volume of nothing":               {"size: 10Gi", "size: 0", "at least 1Mi"},
		"a volume of a word":                {"size: 10Gi", "size: large", "size"},
		"a volume that shrinks by itself":   {"size: 10Gi", "size: 10Gi, maxSize: 9.9Gi", "maxSize must be at least size"},
		"a retention that is not one":       {"size: 10Gi", "size: 10Gi, retention: Maybe", "Unsupported value"},
		"nodes alone over HTTP":             {"mode: Mirror", "mode: Mirror\n  endpoint: {scheme: HTTP}\n  access: {pull: Nodes}", "spec.access.pull cannot be Nodes"},
		"credentials over HTTP":             {"  mirror:\n    upstreams: " + upstream, "  endpoint: {scheme: HTTP}\n  mirror:\n    upstreams: [{name: hub, url: 'https://x.example', credentialsSecretRef: {name: a}}]", "would be open to every Pod"},
		"a certificate over HTTP":           {"  mirror:\n    upstreams: " + upstream, "  endpoint: {scheme: HTTP}\n  mirror:\n    upstreams: [{name: hub, url: 'https://x.example', clientCertificateSecretRef: {name: a}}]", "say spec.access.pull: Anyone"},
		"a scheme that is not one":          {"mode: Mirror", "mode: Mirror\n  endpoint: {scheme: FTP}", "Unsupported value"},
		"access for somebody else":          {"mode: Mirror", "mode: Mirror\n  access: {pull: Nobody}", "Unsupported value"},
		"two Pods on one Pod's volume":      {"mode: Mirror", "mode: Mirror\n  proxy: {replicas: 2}", "needs storage that several Pods can write to"},
		"no Pod":                            {"mode: Mirror", "mode: Mirror\n  proxy: {replicas: 0}", "greater than or equal to 1"},
		"an annotation of ours":             {"mode: Mirror", "mode: Mirror\n  proxy: {annotations: {registryhub.io/restart-hash: x}}", "they are the operator's own"},
		"a label of ours":                   {"mode: Mirror", "mode: Mirror\n  proxy: {labels: {registryhub.io/hub: x}}", "not yours to give"},
		"a label that Pods are selected by": {"mode: Mirror", "mode: Mirror\n  proxy: {labels: {app.kubernetes.io/component: x}}", "not yours to give"},
		"a variable with two values":        {"mode: Mirror", "mode: Mirror\n  proxy: {env: [{name: A, value: b, valueFrom: {secretKeyRef: {name: s, key: k}}}]}", "either value or valueFrom"},
		"a variable that is none":           {"mode: Mirror", "mode: Mirror\n  proxy: {env: [{name: 'A=B'}]}", "should match"},
		"a variable from elsewhere":         {"mode: Mirror", "mode: Mirror\n  proxy: {env: [{name: A, valueFrom: {fieldRef: {fieldPath: x}}}]}", "unknown field"},
		"an access mode that reads":         {"size: 10Gi", "size: 10Gi, accessModes: [ReadOnlyMany]", "Unsupported value"},
		"an endpoint that is not one":       {"mode: Mirror", "mode: Mirror\n  endpoint: {type: LoadBalancer}", "Unsupported value"},
		"an external without a URL":         {"mode: Mirror", "mode: Mirror\n  endpoint: {type: External}", "spec.endpoint.external must be set"},
		"a URL and a node port":             {"mode: Mirror", "mode: Mirror\n  endpoint: {type: NodePort, external: {url: 'https://a.example'}}", "must not be set otherwise"},
		"a URL of another scheme":           {"mode: Mirror", "mode: Mirror\n  endpoint: {type: External, external: {url: 'http://a.example'}}", "must be of spec.endpoint.scheme"},
		"an issuer over plain HTTP":         {"mode: Mirror", "mode: Mirror\n  endpoint: {scheme: HTTP, certificate: {issuerRef: {name: a}}}", "cannot be set with spec.endpoint.scheme HTTP"},
		"an issuer without a name":          {"mode: Mirror", "mode: Mirror\n  endpoint: {certificate: {issuerRef: {kind: Issuer}}}", "issuerRef.name"},
		"an issuer of no kind of theirs":    {"mode: Mirror", "mode: Mirror\n  endpoint: {certificate: {issuerRef: {name: a, kind: Certificate}}}", "kind must be Issuer or ClusterIssuer"},
		"users of a mirror":                 {"mode: Mirror", "mode: Mirror\n  access: {htpasswdSecretRef: {name: a}}", "spec.access.htpasswdSecretRef can be set only when spec.mode is Local"},
		"those of the cluster of a mirror":  {"mode: Mirror", "mode: Mirror\n  access: {kubernetes: {}}", "spec.access.kubernetes can be set only when spec.mode is Local"},
		"a registry beside a mirror":        {"mode: Mirror", "mode: Mirror\n  local: {}", "spec.local must be set when spec.mode is Local"},
		"a mirror of mode Local":            {"mode: Mirror", "mode: Local", "spec.mirror must be set when spec.mode is Mirror"},
		"a URL with a path":                 {"mode: Mirror", "mode: Mirror\n  endpoint: {type: External, external: {url: 'https://a.example/v2'}}", "nothing behind it"},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			err := k8s.Create(t.Context(), changed(t, tc.old, tc.replacement), client.DryRunAll, client.FieldValidation("Strict"))
			g.Expect(err).To(MatchError(ContainSubstring(tc.want)))
		})
	}
}

// anyHost is a hub for every other host.
const anyHost = `
apiVersion: registryhub.io/v1alpha1
kind: RegistryHub
metadata: {name: any-host}
spec:
  hosts: ['*']
  mode: Mirror
  mirror:
    allowedHosts: [quay.io, '*.gcr.io', 'registry.corp.example:5000', '[fd00::1]:5000', '*.corp.example:5000']
  storage: {type: Ephemeral}
  nodes: {dialTimeout: 1s}
`

// registry is one that is pushed to.
const registry = `
apiVersion: registryhub.io/v1alpha1
kind: RegistryHub
metadata: {name: pushed-to}
spec:
  hosts: [registry.internal]
  mode: Local
  local: {}
  access: {htpasswdSecretRef: {name: a}}
  storage: {type: PersistentVolumeClaim, persistentVolumeClaim: {size: 1Gi}}
`

func TestARegistryIsAdmittedThatSomebodyCanPushTo(t *testing.T) {
	for name, tc := range map[string]struct{ access, want string }{
		"users":                  {"access: {htpasswdSecretRef: {name: a}}", ""},
		"those of the cluster":   {"access: {kubernetes: {}}", ""},
		"both":                   {"access: {htpasswdSecretRef: {name: a}, kubernetes: {}}", ""},
		"nobody":                 {"access: {pull: Anyone}", "spec.access.htpasswdSecretRef or spec.access.kubernetes must be set"},
		"nobody at all":          {"suspend: false", "spec.access.htpasswdSecretRef or spec.access.kubernetes must be set"},
		"those of another place": {"access: {kubernetes: {audience: a}}", "unknown field"},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			object := parse(t, strings.Replace(registry, "access: {htpasswdSecretRef: {name: a}}", tc.access, 1))
			err := k8s.Create(t.Context(), object, client.DryRunAll, client.FieldValidation("Strict"))
			if tc.want == "" {
				g.Expect(err).NotTo(HaveOccurred())
				return
			}
			g.Expect(err).To(MatchError(ContainSubstring(tc.want)))
		})
	}
}

func TestAHubForEveryOtherHostIsAdmittedAndWhatMakesNoSenseForItIsNot(t *testing.T) {
	for name, tc := range map[string]struct{ old, replacement, want string }{
		"as it is":             {"mode: Mirror", "mode: Mirror", ""},
		"with an upstream":     {"  mirror:", "  mirror:\n    upstreams: [{name: a, url: 'https://a.example'}]", "upstreams cannot be given with the host *"},
		"with a fallback rule": {"  mirror:", "  mirror:\n    fallbackRules: [{name: a, match: a, rewrite: b}]", "fallbackRules cannot be given with the host *"},
		"that adopts":          {"nodes: {", "nodes: {foreignConfig: Adopt, ", "foreignConfig cannot be Adopt with the host *"},
		"that leaves":          {"nodes: {", "nodes: {foreignConfig: Leave, ", ""},
		"without a fallback":   {"nodes: {", "nodes: {fallback: None, ", "fallback cannot be None with the host *"},
		"with a fallback":      {"nodes: {", "nodes: {fallback: Upstream, ", ""},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			object := parse(t, strings.Replace(anyHost, tc.old, tc.replacement, 1))
			err := k8s.Create(t.Context(), object, client.DryRunAll, client.FieldValidation("Strict"))
			if tc.want == "" {
				g.Expect(err).NotTo(HaveOccurred())
				return
			}
			g.Expect(err).To(MatchError(ContainSubstring(tc.want)))
		})
	}
}

func TestFieldsThatDoNotExistAreRefused(t *testing.T) {
	g := NewWithT(t)
	err := k8s.Create(t.Context(), changed(t, "  mode: Mirror", "  mode: Mirror\n  suspended: true"), client.DryRunAll, client.FieldValidation("Strict"))
	g.Expect(err).To(MatchError(ContainSubstring(`unknown field "spec.suspended"`)))
}

func TestWhatCannotBeChanged(t *testing.T) {
	w := begin(t)
	w.Expect(k8s.Create(t.Context(), parse(t, good))).To(Succeed())
	t.Cleanup(func() { w.removeByForce("admitted") })
	for name, tc := range map[string]struct{ old, replacement, want string }{
		"the kind of storage": {
			"    type: PersistentVolumeClaim\n    persistentVolumeClaim: {size: 10Gi, storageClassName: fast}", "    type: Ephemeral",
			"spec.storage.type cannot be changed",
		},
		"the storage class":          {"storageClassName: fast", "storageClassName: slow", "storageClassName cannot be changed"},
		"the storage class, removed": {", storageClassName: fast", "", "storageClassName cannot be changed"},
		"the access modes":           {"size: 10Gi", "size: 10Gi, accessModes: [ReadWriteOnce]", "accessModes cannot be changed"},
		"a smaller volume":           {"size: 10Gi", "size: 9Gi", "size cannot shrink"},
	} {
		t.Run(name, func(t *testing.T) {
			w := begin(t)
			w.Eventually(func() error {
				object := changed(t, tc.old, tc.replacement)
				object.SetResourceVersion(w.get("admitted").ResourceVersion)
				return k8s.Update(ctxOf(), object, client.DryRunAll)
			}).Should(MatchError(ContainSubstring(tc.want)))
		})
	}
	w.change("admitted", func(hub *v1alpha1.RegistryHub) { hub.Spec.Hosts = []v1alpha1.RegistryHost{"[fd00::1]:5000"} })
}

func TestWhatIsAdmitted(t *testing.T) {
	for name, tc := range map[string]struct{ old, replacement string }{
		"as it is":                {"mode: Mirror", "mode: Mirror"},
		"a name of 40 characters": {"name: admitted", "name: a" + strings.Repeat("b", 39)},
		"a host with a port":      {"[docker.io]", "['registry.example.com:5000']"},
		"an IPv4 address":         {"[docker.io]", "['10.0.0.1:5000']"},
		"an IPv6 address":         {"[docker.io]", "['[fd00::1]:5000']"},
		"a prefix and plain http": {"https://registry-1.docker.io", "http://harbor.example:8080/dockerhub"},
		"a volume of 1Mi":         {"size: 10Gi", "size: 1Mi"},
		"no fallback":             {"dialTimeout: 1s", "fallback: None"},
		"plain HTTP":              {"mode: Mirror", "mode: Mirror\n  endpoint: {scheme: HTTP}"},
		"a node port":             {"mode: Mirror", "mode: Mirror\n  endpoint: {type: NodePort}"},
		"a URL":                   {"mode: Mirror", "mode: Mirror\n  endpoint: {type: External, external: {url: 'https://hub.example.com:8443'}}"},
		"an issuer":               {"mode: Mirror", "mode: Mirror\n  endpoint: {certificate: {issuerRef: {name: a}}}"},
		"an issuer of others":     {"mode: Mirror", "mode: Mirror\n  endpoint: {certificate: {issuerRef: {name: a, kind: PKI, group: pki.example.com}}}"},
		"a URL of an address":     {"mode: Mirror", "mode: Mirror\n  endpoint: {type: External, scheme: HTTP, external: {url: 'http://[fd00::1]:5000'}}"},
		"credentials for anyone": {
			"  mirror:\n    upstreams: [{name: hub, url: \"https://registry-1.docker.io\"}]",
			"  endpoint: {scheme: HTTP}\n  access: {pull: Anyone}\n  mirror:\n    upstreams: [{name: hub, url: 'https://x.example', credentialsSecretRef: {name: a}}]",
		},
		"one Pod, in so many words":    {"mode: Mirror", "mode: Mirror\n  proxy: {replicas: 1}"},
		"two Pods on a volume of many": {"size: 10Gi, storageClassName: fast}", "size: 10Gi, accessModes: [ReadWriteMany]}\n  proxy: {replicas: 2}"},
		"no scrub":                     {"    type: PersistentVolumeClaim", "    scrub: {every: 0s}\n    type: PersistentVolumeClaim"},
		"a scrub in full":              {"    type: PersistentVolumeClaim", "    scrub: {every: 1h, bytesPerSecond: 1Mi}\n    type: PersistentVolumeClaim"},
		"a volume that may grow":       {"size: 10Gi", "size: 10Gi, maxSize: 10240Mi"},
		"eviction in full":             {"    type: PersistentVolumeClaim", "    eviction: {highWatermarkPercent: 99, lowWatermarkPercent: 1, maxIdle: 2h}\n    type: PersistentVolumeClaim"},
	} {
		t.Run(name, func(t *testing.T) {
			NewWithT(t).Expect(k8s.Create(t.Context(), changed(t, tc.old, tc.replacement), client.DryRunAll)).To(Succeed())
		})
	}
}

func TestTheSamplesAreAdmitted(t *testing.T) {
	g := NewWithT(t)
	for _, name := range []string{"docker-io", "registry-k8s-io", "several-hosts", "private-upstream", "every-other-host", "in-a-bucket", "a-registry", "registry-of-another-cluster"} {
		objects, err := readManifest("samples/" + name + ".yaml")
		g.Expect(err).NotTo(HaveOccurred())
		for _, object := range objects {
			g.Expect(k8s.Create(t.Context(), object, client.DryRunAll, client.FieldValidation("Strict"))).To(Succeed(), name)
		}
	}
}

func TestWhatOnlyTheOperatorCanCheckStallsTheHub(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*v1alpha1.RegistryHub)
		want   string
	}{
		"expression": {func(hub *v1alpha1.RegistryHub) {
			hub.Spec.Mirror.FallbackRules = []v1alpha1.FallbackRule{{Name: "broken", Match: "(", Rewrite: "x"}}
		}, "spec.mirror.fallbackRules[0].match"},
		"allowed": {func(hub *v1alpha1.RegistryHub) {
			hub.Spec.Hosts, hub.Spec.Mirror.AllowedHosts = []v1alpha1.RegistryHost{v1alpha1.AnyHost}, []v1alpha1.HostPattern{"a.io:99999"}
		}, "spec.mirror.allowedHosts[0]"},
		"tag": {func(hub *v1alpha1.RegistryHub) {
			hub.Spec.Mirror.Tags.Rules = []v1alpha1.TagRule{{Match: ".*", Policy: v1alpha1.TagPolicyFrozen}, {Match: "(", Policy: v1alpha1.TagPolicyAlways}}
		}, "spec.mirror.tags.rules[1].match"},
		"repository": {func(hub *v1alpha1.RegistryHub) {
			hub.Spec.Mirror.Repositories = &v1alpha1.RepositoriesSpec{Allow: []string{"a"}, Deny: []string{"("}}
		}, "spec.mirror.repositories.deny[0]"},
		"selector": {func(hub *v1alpha1.RegistryHub) {
			onNodes(map[string]string{"a": "not a label value!"})(hub)
		}, "spec.nodes.selector"},
		"prewarm": {func(hub *v1alpha1.RegistryHub) {
			hub.Spec.Mirror.Prewarm = &v1alpha1.PrewarmSpec{Images: []v1alpha1.PrewarmImage{"prewarm.example/a:1", "elsewhere.example/a:1"}}
		}, "spec.mirror.prewarm.images[1]"},
		"address": {func(hub *v1alpha1.RegistryHub) { hub.Spec.Hosts = []v1alpha1.RegistryHost{"[:::1]"} }, "spec.hosts[0]"},
		"toleration": {func(hub *v1alpha1.RegistryHub) {
			hub.Spec.Proxy.PriorityClassName = "Not A Name"
		}, "priorityClassName"},
	} {
		t.Run(name, func(t *testing.T) {
			w := begin(t)
			w.create(hubFor("invalid-"+name, name+".example", ephemeral, tc.change))
			w.becomes("invalid-"+name, v1alpha1.ConditionStalled, "True/InvalidSpec")
			w.Expect(w.message("invalid-"+name, v1alpha1.ConditionReady)).To(ContainSubstring(tc.want))
			w.change("invalid-"+name, func(hub *v1alpha1.RegistryHub) { hub.Spec = hubFor("x", name+".example", ephemeral).Spec })
			w.ready("invalid-" + name)
		})
	}
}
