package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/hack/testbed"
)

// Hosts of the test: the hub may stand for all but the last.
const (
	anyOne  = "one.any.e2e.test"
	anyTwo  = "two.any.e2e.test"
	anyCorp = "corp.any.e2e.test" // of which a node has a directory elsewhere
	anyNot  = "not.any.e2e.test"
)

func TestOneHubStandsForEveryOtherHost(t *testing.T) {
	s := shared
	for _, repository := range []string{"any-one/app", "any-two/app", "any-not/app"} {
		s.images.push(t, repository, "v1")
	}
	s.applyAnyHub(t, "any")
	s.awaitReady(t, "any")
	for i, node := range s.bed.Nodes {
		for repository, host := range map[string]string{"any-one": anyOne, "any-two": anyTwo} {
			t.Run(fmt.Sprintf("%s is pulled through it by %s", host, node.Name), func(t *testing.T) {
				s.upstream.Forget()
				s.runPod(t, fmt.Sprintf("%s-%d", repository, i), node, host+"/"+repository+"/app:v1")
				requests := s.upstream.Requests()
				if own := fromNodes(requests); len(own) > 0 {
					t.Errorf("the node asked the upstream by itself: %+v", own)
				}
				if fetched := len(blobRequests(requests)) > 0; fetched != (i == 0) {
					t.Errorf("blobs were fetched: %v, for node %d", fetched, i)
				}
			})
		}
	}
	t.Run("a host that is not allowed is pulled from its upstream", func(t *testing.T) {
		s.upstream.Forget()
		s.runPod(t, "any-not", s.bed.Nodes[0], anyNot+"/any-not/app:v1")
		requests := s.upstream.Requests()
		if own := fromNodes(requests); len(own) == 0 || len(own) != len(requests) {
			t.Errorf("the upstream was asked %+v, want the node alone", requests)
		}
	})
	t.Run("what a node has for a host elsewhere stays in force", func(t *testing.T) { s.mustKeepElsewhere(t, "any", s.bed.Nodes[0]) })
	s.awaitReady(t, "any")
	t.Run("it leaves nothing when it is deleted", func(t *testing.T) {
		s.kubectl(t, "delete", "registryhub", "any", "--timeout=2m")
		for _, node := range s.bed.Nodes {
			if entries := s.entries(t, node); strings.Contains(entries, "_default") {
				t.Errorf("%s has %s", node.Name, entries)
			}
		}
	})
}

// mustKeepElsewhere gives a node's containerd a second directory of hosts, with one of them.
func (s *suite) mustKeepElsewhere(t *testing.T, hub string, node testbed.Node) {
	t.Helper()
	const elsewhere = "/etc/docker/certs.d/" + anyCorp
	s.runScript(t, node, fmt.Sprintf(`mkdir %[2]s && cp -p %[1]s %[1]s.before && sed -i 's#config_path = "\(/[^"]*\)"#config_path = "\1:/etc/docker/certs.d"#' %[1]s && ! cmp -s %[1]s %[1]s.before`,
		containerdConfiguration, elsewhere))
	t.Cleanup(func() {
		s.runScript(t, node, fmt.Sprintf("mv %[1]s.before %[1]s && rmdir %[2]s", containerdConfiguration, elsewhere))
	})
	s.await(t, "the node to lead the host to where it was", func(ctx context.Context) (bool, error) {
		target, err := s.bed.Node(ctx, node.Name, "readlink", "-f", node.CertsDir+"/"+anyCorp)
		return strings.TrimSpace(target) == elsewhere, err
	})
	s.await(t, "the node to say so", func(ctx context.Context) (bool, error) {
		seen, err := s.hub(ctx, hub)
		if err != nil || seen.Status.Nodes == nil || len(seen.Status.Nodes.Failing) != 1 {
			return false, err
		}
		failing := seen.Status.Nodes.Failing[0]
		return failing.Name == node.Name && failing.Reason == v1alpha1.NodeReasonForeignHostsFile && strings.Contains(failing.Message, elsewhere), nil
	})
}

// applyAnyHub applies the hub, and has its proxy trust the upstream: what it stands for is asked by the public roots.
func (s *suite) applyAnyHub(t *testing.T, name string) {
	t.Helper()
	s.applyManifest(t, anyHubManifest, name, "*", fmt.Sprintf("    allowedHosts: [%s, %s, %s]", anyOne, anyTwo, anyCorp))
	s.await(t, "the hub's Deployment", func(ctx context.Context) (bool, error) {
		_, err := s.bed.Kubectl(ctx, "-n", testbed.Namespace, "patch", "deployment", "hub-"+name, "--type=strategic", "-p", trustPatch)
		return err == nil, err
	})
}

// anyHubManifest ends in the mirror. What applyManifest gives twice is for other hubs.
const anyHubManifest = `apiVersion: registryhub.io/v1alpha1
kind: RegistryHub
metadata: {name: %s}
spec:
  hosts: ["%s"]
  mode: Mirror
  storage: {type: Ephemeral} # not %s, %s
  mirror:
`

const trustPatch = `{"spec": {"template": {"spec": {
  "containers": [{"name": "proxy", "env": [{"name": "SSL_CERT_FILE", "value": "/e2e/ca.crt"}], "volumeMounts": [{"name": "e2e", "mountPath": "/e2e"}]}],
  "volumes": [{"name": "e2e", "configMap": {"name": "` + caBundle + `"}}]}}}}`
