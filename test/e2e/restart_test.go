package e2e

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/hack/testbed"
)

// TestAContainerdThatWasKilledIsProvenAnew: a runtime that starts may have read another configuration, so that what was
// proven before says nothing. The files are as good as they were, and nobody has to hear of it.
func TestAContainerdThatWasKilledIsProvenAnew(t *testing.T) {
	s := shared
	const host, hub = "restarted.e2e.test", "restarted"
	s.images.push(t, "team/restarted", "v1")
	s.applyHub(t, hub, host)
	s.awaitReady(t, hub)
	// Not the hub's own: its Pod may be out of service for a moment while the kubelet has no runtime, and is withdrawn then.
	node := s.nodeWithout(t, hub)
	wired, files := s.nodesWired(t, hub), s.identities(t, node, host)
	proven, err := s.canaries(t.Context(), s.proxyPod(t, hub).Name)
	if err != nil {
		t.Fatal(err)
	}

	s.killContainerd(t, node)
	s.awaitCanary(t, hub, proven)
	s.upstream.Forget()
	s.runPod(t, "restarted", node, host+"/team/restarted:v1")
	s.mustHaveAskedTheHubAlone(t)
	s.awaitReady(t, hub)
	if now := s.identities(t, node, host); now != files {
		t.Errorf("files were\n%s, and are\n%s", files, now)
	}
	if now := s.nodesWired(t, hub); now.Status != metav1.ConditionTrue || now.LastTransitionTime != wired.LastTransitionTime {
		t.Errorf("NodesWired was %+v, and is %+v", wired, now)
	}
}

// nodeWithout is a node that the hub's Pod is not on.
func (s *suite) nodeWithout(t *testing.T, hub string) testbed.Node {
	t.Helper()
	on := s.proxyPod(t, hub).Spec.NodeName
	for _, node := range s.bed.Nodes {
		if node.Name != on {
			return node
		}
	}
	t.Fatalf("every node is %s", on)
	return testbed.Node{}
}

func (s *suite) nodesWired(t *testing.T, hub string) metav1.Condition {
	t.Helper()
	seen, err := s.hub(t.Context(), hub)
	if err != nil {
		t.Fatal(err)
	}
	return condition(seen, v1alpha1.ConditionNodesWired)
}

// identities change when a host's directory or its file is written anew, with the same content too.
func (s *suite) identities(t *testing.T, node testbed.Node, host string) string {
	t.Helper()
	const script = `stat -c '%n %i %y' "$1" "$1/." "$1/hosts.toml"; readlink "$1"`
	out, err := s.bed.Node(t.Context(), node.Name, "sh", "-c", script, "stat", node.CertsDir+"/"+host)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// killContainerd ends a node's containerd in the hard way, and starts it again.
func (s *suite) killContainerd(t *testing.T, node testbed.Node) {
	t.Helper()
	process, err := s.bed.Node(t.Context(), node.Name, "pgrep", "-x", "containerd")
	if err != nil {
		t.Fatal(err)
	}
	s.onNode(t, node, "kill", "-KILL", strings.TrimSpace(process))
	s.restartContainerd(t, node)
}

var canaryAnswers = regexp.MustCompile(`(?m)^registryhub_proxy_canary_answers_total (\S+)$`)

// canaries is how many objects of canaries a hub has answered since its Pod runs.
func (s *suite) canaries(ctx context.Context, pod string) (float64, error) {
	metrics, err := s.bed.Kubectl(ctx, "get", "--raw", fmt.Sprintf("/api/v1/namespaces/%s/pods/%s:8080/proxy/metrics", testbed.Namespace, pod))
	if err != nil {
		return 0, err
	}
	found := canaryAnswers.FindStringSubmatch(metrics)
	if found == nil {
		return 0, fmt.Errorf("the hub's Pod does not count its canaries: %s", metrics)
	}
	return strconv.ParseFloat(found[1], 64)
}

func (s *suite) awaitCanary(t *testing.T, hub string, before float64) {
	t.Helper()
	pod := s.proxyPod(t, hub).Name
	s.await(t, "a canary to be pulled", func(ctx context.Context) (bool, error) {
		now, err := s.canaries(ctx, pod)
		return now > before, err
	})
}
