package e2e

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/hack/testbed"
)

const overTLS = "  endpoint: {scheme: HTTPS}\n"

func TestNodesPullOverTLS(t *testing.T) {
	s := shared
	const host = "tls.e2e.test"
	s.images.push(t, "team/tls", "v1")
	s.applyHub(t, "tls", host, overTLS)
	s.awaitReady(t, "tls")
	s.upstream.Forget()
	for _, node := range s.bed.Nodes {
		s.mustName(t, node, host, `[host."https://`, "ca = ")
		s.runPod(t, "tls-"+node.Name, node, host+"/team/tls:v1")
	}
	s.mustHaveAskedTheHubAlone(t)
}

// TestOnlyNodesPullWhatTheHubHasCredentialsFor: the API server's way to a Service shows no certificate of ours, as a Pod
// would show none.
func TestOnlyNodesPullWhatTheHubHasCredentialsFor(t *testing.T) {
	s := shared
	const host = "private.e2e.test"
	s.images.push(t, "team/private", "v1")
	s.kubectl(t, "-n", testbed.Namespace, "create", "secret", "generic", "e2e-credentials", "--type=kubernetes.io/basic-auth",
		"--from-literal=username=somebody", "--from-literal=password=secret")
	manifest := strings.Replace(testbed.HubManifest, "    tags:", "      credentialsSecretRef: {name: e2e-credentials}\n    tags:", 1)
	s.applyManifest(t, manifest, "private", host, overTLS)
	s.awaitReady(t, "private")
	if hub, err := s.hub(t.Context(), "private"); err != nil || hub.Status.Access.Pull != v1alpha1.PullNodes {
		t.Errorf("%+v (%v) may pull, want nodes", hub.Status.Access, err)
	}
	s.upstream.Forget()
	for _, node := range s.bed.Nodes {
		s.mustName(t, node, host, "ca = ", "client = ")
		s.runPod(t, "private-"+node.Name, node, host+"/team/private:v1")
	}
	s.mustHaveAskedTheHubAlone(t)

	const path = "/api/v1/namespaces/" + testbed.Namespace + "/services/https:hub-private:5000/proxy/v2/team/private/manifests/v1?ns=" + host
	out, err := s.bed.Kubectl(t.Context(), "get", "--raw", path)
	if err == nil || !strings.Contains(err.Error(), "Forbidden") {
		t.Errorf("who shows no certificate gets %q (%v), want Forbidden", out, err)
	}
}

// TestPullsGoOnWhileTheAuthorityIsReplaced lets both nodes pull all the time, from before a rotation to after it: none of
// the pulls may have gone past the hub.
func TestPullsGoOnWhileTheAuthorityIsReplaced(t *testing.T) {
	s := shared
	const host = "rotated.e2e.test"
	s.configureOperator(t, "certificates: {overlap: 30s}")
	image := s.images.push(t, "team/rotated", "v1")
	s.applyHub(t, "rotated", host, overTLS+"  access: {pull: Nodes}\n")
	s.awaitReady(t, "rotated")
	before := s.bundle(t)
	s.upstream.Forget()

	asked := time.Now()
	s.kubectl(t, "-n", testbed.Namespace, "annotate", "--overwrite", "secret", "registryhub-ca",
		v1alpha1.AnnotationRotateBefore+"="+asked.UTC().Format(time.RFC3339))
	pulls, overlapped := 0, false
	for deadline := asked.Add(10 * time.Minute); ; {
		for _, node := range s.bed.Nodes {
			s.runPod(t, "rotated", node, host+"/team/rotated:v1")
			s.forgetImage(t, node, host+"/team/rotated:v1", image)
			pulls++
		}
		now := s.bundle(t)
		overlapped = overlapped || strings.Contains(now, before) && now != before
		if overlapped && !strings.Contains(now, before) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the authority is not replaced after %s\n%s", time.Since(asked), s.scene(t))
		}
	}
	t.Logf("%d pulls in the %s that it took to replace the authority", pulls, time.Since(asked).Round(time.Second))
	s.runPod(t, "rotated", s.bed.Nodes[0], host+"/team/rotated:v1")
	s.mustHaveAskedTheHubAlone(t)
	s.awaitReady(t, "rotated")
}

// bundle is what nodes and hubs trust.
func (s *suite) bundle(t *testing.T) string {
	t.Helper()
	return strings.TrimSpace(s.kubectl(t, "-n", testbed.Namespace, "get", "configmap", "registryhub-ca-bundle", "-o", `jsonpath={.data.ca\.crt}`))
}

// configureOperator gives the operator more to its configuration, until the test ends, such as an overlap that a test can wait
// for; the cluster's kubelets bring changed Secrets to Pods within seconds.
func (s *suite) configureOperator(t *testing.T, more string) {
	t.Helper()
	const deployment, volume = "deployment/registryhub-manager", "jsonpath={.spec.template.spec.volumes[0].configMap.name}"
	name := s.kubectl(t, "-n", testbed.Namespace, "get", deployment, "-o", volume)
	get := func(ctx context.Context) (string, error) {
		return s.bed.Kubectl(ctx, "-n", testbed.Namespace, "get", "configmap", name, "-o", `jsonpath={.data.operator-configuration\.yaml}`)
	}
	set := func(ctx context.Context, text string) error {
		patch, err := json.Marshal(map[string]any{"data": map[string]string{"operator-configuration.yaml": text}})
		if err != nil {
			return err
		}
		for _, args := range [][]string{
			{"patch", "configmap", name, "--type=merge", "--patch", string(patch)},
			{"rollout", "restart", deployment},
			{"rollout", "status", deployment, "--timeout=2m"},
		} {
			if _, err := s.bed.Kubectl(ctx, append([]string{"-n", testbed.Namespace}, args...)...); err != nil {
				return err
			}
		}
		return nil
	}
	was, err := get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := set(context.WithoutCancel(t.Context()), was); err != nil {
			t.Errorf("restoring the operator's configuration: %v", err)
		}
	})
	if err := set(t.Context(), was+"\n"+more+"\n"); err != nil {
		t.Fatal(err)
	}
}

// mustName holds that the host's file on the node has all of this in it.
func (s *suite) mustName(t *testing.T, node testbed.Node, host string, wanted ...string) {
	t.Helper()
	file, err := s.hostsFile(t.Context(), node, host)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range wanted {
		if !strings.Contains(file, want) {
			t.Errorf("%s on %s has no %q:\n%s", host, node.Name, want, file)
		}
	}
}

func (s *suite) mustHaveAskedTheHubAlone(t *testing.T) {
	t.Helper()
	if own := fromNodes(s.upstream.Requests()); len(own) > 0 {
		t.Errorf("%d times a node asked the upstream by itself: %+v", len(own), own[0])
	}
}
