package v1alpha1

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	operatorFile = `
apiVersion: config.registryhub.io/v1alpha1
kind: OperatorConfiguration
image: ghcr.io/registryhub/registryhub:v0.1.0
`
	proxyFile = `
apiVersion: config.registryhub.io/v1alpha1
kind: ProxyConfiguration
hub: docker-io
store: {directory: /var/lib/registryhub}
mirror:
  hosts:
  - host: docker.io
    upstreams:
    - {name: docker-io, url: https://registry-1.docker.io}
`
	nodeFile = `
apiVersion: config.registryhub.io/v1alpha1
kind: NodeConfiguration
revision: 3
hubs:
- name: docker-io
  uid: u
  revision: 2
  hosts: [docker.io]
  endpoint: http://10.96.31.7:5000
`
)

func TestDecodeFillsInDefaults(t *testing.T) {
	t.Parallel()
	operator, err := DecodeOperatorConfiguration([]byte(operatorFile))
	if err != nil {
		t.Fatal(err)
	}
	wantAgent := NodeAgentConfiguration{
		CertsDirectory: "/etc/containerd/certs.d", RunDirectory: "/run/registryhub",
		Canary: CanaryConfiguration{Enabled: new(true), Interval: &metav1.Duration{Duration: time.Hour}},
	}
	if diff := cmp.Diff(wantAgent, operator.NodeAgent); diff != "" {
		t.Errorf("node agent's defaults (-want +got):\n%s", diff)
	}
	if operator.Namespace != "registryhub-system" || operator.NodeGracePeriod.Duration != time.Minute {
		t.Errorf("defaults are %q and %s", operator.Namespace, operator.NodeGracePeriod.Duration)
	}
	proxy, err := DecodeProxyConfiguration([]byte(proxyFile))
	if err != nil {
		t.Fatal(err)
	}
	if proxy.Listen.Registry != ":5000" || proxy.Mirror.Tags.RevalidateAfter.Duration != 5*time.Minute {
		t.Errorf("defaults are %q and %s", proxy.Listen.Registry, proxy.Mirror.Tags.RevalidateAfter.Duration)
	}
	wantEviction := EvictionConfiguration{HighWatermarkPercent: new(int32(90)), LowWatermarkPercent: new(int32(80))}
	if diff := cmp.Diff(wantEviction, proxy.Store.Eviction); diff != "" {
		t.Errorf("eviction's defaults (-want +got):\n%s", diff)
	}
	wantScrub := ScrubConfiguration{Every: &metav1.Duration{Duration: 168 * time.Hour}, BytesPerSecond: new(int64(16 << 20))}
	if diff := cmp.Diff(wantScrub, proxy.Store.Scrub); diff != "" {
		t.Errorf("scrub's defaults (-want +got):\n%s", diff)
	}
	node, err := DecodeNodeConfiguration([]byte(nodeFile))
	if err != nil {
		t.Fatal(err)
	}
	if node.Hubs[0].DialTimeout.Duration != time.Second {
		t.Errorf("dialTimeout defaults to %s", node.Hubs[0].DialTimeout.Duration)
	}
}

func TestDecodeRefusesAndNamesTheField(t *testing.T) {
	t.Parallel()
	operator := func(data []byte) error { _, err := DecodeOperatorConfiguration(data); return err }
	proxy := func(data []byte) error { _, err := DecodeProxyConfiguration(data); return err }
	node := func(data []byte) error { _, err := DecodeNodeConfiguration(data); return err }
	tests := map[string]struct {
		decode   func([]byte) error
		file     string
		old, new string
		want     string
	}{
		"an unknown field":                      {operator, operatorFile, "image:", "imagge: x\nimage:", `unknown field "imagge"`},
		"an unknown field inside":               {proxy, proxyFile, "name: docker-io", "nam: docker-io", `unknown field "mirror.hosts[0].upstreams[0].nam"`},
		"a field that is given twice":           {operator, operatorFile, "image:", "image: x\nimage:", "already set"},
		"an empty file":                         {node, "", "", "", `kind ""`},
		"a file without a kind":                 {node, nodeFile, "kind: NodeConfiguration", "", `kind ""`},
		"another kind":                          {proxy, operatorFile, "", "", `kind "OperatorConfiguration"`},
		"another version":                       {node, nodeFile, "v1alpha1", "v9", `v9`},
		"canaries without end":                  {operator, operatorFile, "image:", "nodeAgent: {canary: {interval: 1s}}\nimage:", "nodeAgent.canary.interval"},
		"a relative certs directory":            {operator, operatorFile, "image:", "nodeAgent: {certsDirectory: certs.d}\nimage:", "nodeAgent.certsDirectory"},
		"the root as run directory":             {operator, operatorFile, "image:", "nodeAgent: {runDirectory: /}\nimage:", "nodeAgent.runDirectory"},
		"a pull secret that is no name":         {operator, operatorFile, "image:", "imagePullSecrets: [A_b]\nimage:", "imagePullSecrets"},
		"a negative grace":                      {operator, operatorFile, "image:", "nodeGracePeriod: -1s\nimage:", "nodeGracePeriod"},
		"a start-up taint of negative time":     {operator, operatorFile, "image:", "startupTaint: {timeout: -1s}\nimage:", "startupTaint.timeout"},
		"a bundle of a hub over plain HTTP":     {node, nodeFile, "endpoint:", "caBundle: x\n  endpoint:", "hubs[0].caBundle"},
		"a bundle of a hub that is none":        {node, nodeFile, "endpoint: http:", "caBundle: x\n  endpoint: https:", "hubs[0].caBundle: it holds something else"},
		"a bundle of a hub that is too large":   {node, nodeFile, "endpoint: http:", "caBundle: " + strings.Repeat("x", MaxHubBundle+1) + "\n  endpoint: https:", "hubs[0].caBundle: it has"},
		"no hub":                                {proxy, proxyFile, "hub: docker-io", "", "hub: required"},
		"no store":                              {proxy, proxyFile, "store: {directory: /var/lib/registryhub}", "store: {}", "store.directory"},
		"a host with a scheme":                  {proxy, proxyFile, "host: docker.io", "host: https://docker.io", "mirror.hosts[0].host"},
		"an upstream without a scheme":          {proxy, proxyFile, "https://registry-1.docker.io", "registry-1.docker.io", "mirror.hosts[0].upstreams[0].url"},
		"an upstream with a query":              {proxy, proxyFile, "https://registry-1.docker.io", "'https://x.io/?a=b'", "query"},
		"a client certificate without TLS":      {proxy, proxyFile, "url: https://registry-1.docker.io", "url: http://a.io, clientCertificateDirectory: /x", "mirror.hosts[0].upstreams[0].clientCertificateDirectory"},
		"a rule that does not compile":          {proxy, proxyFile, "mirror:", "mirror:\n  fallbackRules: [{name: a, match: '(', rewrite: b}]", "mirror.fallbackRules[0].match"},
		"a rule that steps out of its anchors":  {proxy, proxyFile, "mirror:", "mirror:\n  fallbackRules: [{name: a, match: 'a)|(b', rewrite: b}]", "mirror.fallbackRules[0].match"},
		"a rule without an expression":          {proxy, proxyFile, "mirror:", "mirror:\n  fallbackRules: [{name: a, match: '', rewrite: b}]", "mirror.fallbackRules[0].match"},
		"a rule with a group that is not there": {proxy, proxyFile, "mirror:", "mirror:\n  fallbackRules: [{name: a, match: '(a)', rewrite: '$1_x'}]", "mirror.fallbackRules[0].rewrite"},
		"a rule on a status of trouble":         {proxy, proxyFile, "mirror:", "mirror:\n  fallbackRules: [{name: a, match: a, rewrite: b, onStatus: [503]}]", "mirror.fallbackRules[0].onStatus[0]"},
		"a tag rule that does not compile":      {proxy, proxyFile, "mirror:", "mirror:\n  tags: {rules: [{match: '(', policy: Frozen}]}", "mirror.tags.rules[0].match"},
		"a tag rule of no policy":               {proxy, proxyFile, "mirror:", "mirror:\n  tags: {rules: [{match: a}]}", "mirror.tags.rules[0].policy"},
		"a frozen tag with a time":              {proxy, proxyFile, "mirror:", "mirror:\n  tags: {rules: [{match: a, policy: Frozen, revalidateAfter: 1m}]}", "mirror.tags.rules[0].revalidateAfter"},
		"a negative time of a tag rule":         {proxy, proxyFile, "mirror:", "mirror:\n  tags: {rules: [{match: a, policy: TTL, revalidateAfter: -1m}]}", "mirror.tags.rules[0].revalidateAfter"},
		"an allowed repository out of anchors":  {proxy, proxyFile, "mirror:", "mirror:\n  repositories: {allow: [a, 'a)|(b']}", "mirror.repositories.allow[1]"},
		"an empty denied repository":            {proxy, proxyFile, "mirror:", "mirror:\n  repositories: {deny: ['']}", "mirror.repositories.deny[0]"},
		"any host without a list":               {proxy, proxyFile, "hosts:", "hosts:\n  - {host: '*'}", "mirror.allowedHosts: required"},
		"a list without any host":               {proxy, proxyFile, "mirror:", "mirror:\n  allowedHosts: [quay.io]", "mirror.allowedHosts"},
		"any host with upstreams":               {proxy, proxyFile, "host: docker.io", "host: '*'", "mirror.hosts[0].upstreams"},
		"a pattern of every host":               {proxy, proxyFile, "hosts:", "allowedHosts: ['*']\n  hosts:\n  - {host: '*'}", "mirror.allowedHosts[0]"},
		"a pattern of a whole top level":        {proxy, proxyFile, "hosts:", "allowedHosts: ['*.com']\n  hosts:\n  - {host: '*'}", "mirror.allowedHosts[0]"},
		"a pattern with a star inside":          {proxy, proxyFile, "hosts:", "allowedHosts: ['a.*.example.com']\n  hosts:\n  - {host: '*'}", "mirror.allowedHosts[0]"},
		"a watermark of nothing":                {proxy, proxyFile, "/registryhub}", "/registryhub, eviction: {lowWatermarkPercent: 0}}", "store.eviction.lowWatermarkPercent"},
		"a watermark of all":                    {proxy, proxyFile, "/registryhub}", "/registryhub, eviction: {highWatermarkPercent: 100}}", "store.eviction.highWatermarkPercent"},
		"a low watermark at the high one":       {proxy, proxyFile, "/registryhub}", "/registryhub, eviction: {lowWatermarkPercent: 90}}", "90 is not below"},
		"a high watermark below the default":    {proxy, proxyFile, "/registryhub}", "/registryhub, eviction: {highWatermarkPercent: 50}}", "80 is not below highWatermarkPercent, which is 50"},
		"an idle time below the known":          {proxy, proxyFile, "/registryhub}", "/registryhub, eviction: {maxIdle: 1h59m}}", "store.eviction.maxIdle"},
		"a scrub that never rests":              {proxy, proxyFile, "/registryhub}", "/registryhub, scrub: {every: 59m}}", "store.scrub.every"},
		"a scrub that goes backwards":           {proxy, proxyFile, "/registryhub}", "/registryhub, scrub: {every: -1h}}", "store.scrub.every"},
		"a scrub that does not move":            {proxy, proxyFile, "/registryhub}", "/registryhub, scrub: {bytesPerSecond: 0}}", "store.scrub.bytesPerSecond"},
		"an unknown eviction":                   {proxy, proxyFile, "/registryhub}", "/registryhub, eviction: {policy: LFU}}", "store.eviction.policy"},
		"segments that are too small":           {proxy, proxyFile, "mirror:", "mirror:\n  segments: {size: 64Ki}", "mirror.segments.size"},
		"segments without end":                  {proxy, proxyFile, "mirror:", "mirror:\n  segments: {parallel: 17}", "mirror.segments.parallel"},
		"a node's hub without hosts":            {node, nodeFile, "hosts: [docker.io]", "hosts: []", "hubs[0].hosts"},
		"any host of a node without a list":     {node, nodeFile, "hosts: [docker.io]", "hosts: ['*']", "hubs[0].allowedHosts: required"},
		"a node's list without any host":        {node, nodeFile, "endpoint: ", "allowedHosts: [a.io]\n  endpoint: ", "hubs[0].allowedHosts"},
		"a node's list of every host":           {node, nodeFile, "hosts: [docker.io]", "hosts: ['*']\n  allowedHosts: ['*']", "hubs[0].allowedHosts[0]"},
		"any host without a fallback":           {node, nodeFile, "hosts: [docker.io]", "hosts: ['*']\n  allowedHosts: [a.io]\n  fallback: None", "hubs[0].fallback"},
		"any host that adopts":                  {node, nodeFile, "hosts: [docker.io]", "hosts: ['*']\n  allowedHosts: [a.io]\n  adoptForeign: true", "hubs[0].adoptForeign"},
		"an IPv6 host without its brackets":     {node, nodeFile, "hosts: [docker.io]", "hosts: ['fd00::1']", "hubs[0].hosts[0]"},
		"a hub asked too often":                 {node, nodeFile, "revision: ", "probeInterval: 10ms\nrevision: ", "probeInterval"},
		"a fallback nobody knows":               {node, nodeFile, "endpoint: ", "fallback: Other\n  endpoint: ", "hubs[0].fallback"},
		"an endpoint with a path":               {node, nodeFile, "http://10.96.31.7:5000", "http://10.96.31.7:5000/", "hubs[0].endpoint"},
		"a dial time-out of nothing":            {node, nodeFile, "  uid: u", "  uid: u\n  dialTimeout: 0s", "hubs[0].dialTimeout"},
		"an endpoint that is not a URL":         {node, nodeFile, "http://10.96.31.7:5000", "10.96.31.7:5000", "hubs[0].endpoint"},
		"a selector with an unknown operator":   {node, nodeFile, "  uid: u", "  uid: u\n  selector: {matchExpressions: [{key: a, operator: Like}]}", "hubs[0].selector"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := strings.Replace(tc.file, tc.old, tc.new, 1)
			err := tc.decode([]byte(file))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("decoding answers %v: want an error that says %q", err, tc.want)
			}
		})
	}
}

func TestValidateNeverShowsUserInformation(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"https://me:hunter2@x.io", "https://me:hunter2@x.io:bad", "https://hunter2@x.io/%zz"} {
		if err := ValidateUpstreamURL("url", value); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error of a URL with user information is %v", err)
		}
	}
}

func TestValidateHost(t *testing.T) {
	t.Parallel()
	tests := map[string]bool{
		"docker.io": true, "localhost:5000": true, "10.0.0.1:5000": true, "[fd00::1]": true, "[fd00::1]:5000": true,
		"": false, "Docker.io": false, "docker.io/library": false, "https://docker.io": false, "a@b": false,
		"fd00::1": false, "[10.0.0.1]:5000": false, "[fd00::1": false, "-a.io": false, "a..b": false, "a.io:": false,
		"[fe80::1%/../../x]:5000": false, "[FD00::1]": false, "a.io:99999": false, "a.io:0": false, "..": false, "a.io:123456": false, "_default": false, "*": false,
	}
	for host, want := range tests {
		if err := ValidateHost("host", host); (err == nil) != want {
			t.Errorf("ValidateHost(%q) = %v: want valid %v", host, err, want)
		}
	}
}

func TestHostAllowed(t *testing.T) {
	t.Parallel()
	patterns := []string{"docker.io", "registry.example.com:5000", "*.gcr.io", "*.corp.example:5000", "[fd00::1]:5000"}
	tests := map[string]bool{
		"docker.io": true, "registry.example.com:5000": true, "eu.gcr.io": true, "a.b.gcr.io": true, "a.corp.example:5000": true, "[fd00::1]:5000": true,
		"quay.io": false, "gcr.io": false, "notgcr.io": false, "eu.gcr.io:5000": false, "a.corp.example": false, "registry.example.com": false, "*": false, "*.gcr.io.evil.example": false,
	}
	for host, want := range tests {
		if got := HostAllowed(patterns, host); got != want {
			t.Errorf("HostAllowed(%q) = %v", host, got)
		}
	}
	if HostAllowed(nil, "docker.io") {
		t.Error("no pattern allows a host")
	}
}

func TestEncodeRoundTrips(t *testing.T) {
	t.Parallel()
	want := &NodeConfiguration{Revision: 7, ProbeInterval: &metav1.Duration{Duration: 4 * time.Second}, Hubs: []NodeHub{{
		Name: "a", UID: "u", Revision: 7, Hosts: []string{"a.io"}, Endpoint: "http://[fd00::1]:5000",
		DialTimeout: &metav1.Duration{Duration: 2 * time.Second},
		Selector:    &metav1.LabelSelector{MatchLabels: map[string]string{"zone": "a"}},
		Fallback:    NodeFallbackNone,
	}, {
		Name: "any", UID: "v", Revision: 6, Hosts: []string{AnyHost}, AllowedHosts: []string{"a.io", "*.example.com:5000"}, Endpoint: "http://10.0.0.1:5000",
		DialTimeout: &metav1.Duration{Duration: time.Second},
	}}}
	data, err := Encode(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeNodeConfiguration(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("decoded differs from what was encoded (-want +got):\n%s", diff)
	}
}

func FuzzDecodeProxyConfiguration(f *testing.F) {
	f.Add([]byte(proxyFile))
	f.Add([]byte("apiVersion: config.registryhub.io/v1alpha1\nkind: ProxyConfiguration\nmirror: {hosts: [{host: a, upstreams: [{}]}]}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		config, err := DecodeProxyConfiguration(data)
		if err != nil {
			return
		}
		again, err := Encode(config)
		if err != nil {
			t.Fatalf("a configuration that decodes does not encode: %v", err)
		}
		if _, err := DecodeProxyConfiguration(again); err != nil {
			t.Fatalf("a configuration that was encoded does not decode: %v\n%s", err, again)
		}
	})
}
