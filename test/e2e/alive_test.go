package e2e

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/hack/testbed"
)

// pulls is how many images are pulled on each way, to compare the medians. The first is not counted: it brings the layer
// that all of them share.
const pulls = 4

func TestAHubThatANodeCannotReachIsWithdrawnFromIt(t *testing.T) {
	s := shared
	const host, direct = "dropped.e2e.test", "direct.e2e.test"
	for i := range pulls {
		s.images.push(t, "team/dropped", fmt.Sprintf("v%d", i))
		s.images.push(t, "team/direct", fmt.Sprintf("v%d", i))
	}
	s.applyHub(t, "dropped", host)
	s.awaitReady(t, "dropped")
	near, far := s.bed.Nodes[0], s.bed.Nodes[1]
	withoutHub := s.pullTimes(t, "direct", near, direct+"/team/direct")

	began := time.Now()
	s.dropPackets(t, near, "dropped")
	s.awaitWithdrawn(t, near, host)
	t.Logf("from the first dropped packet to the withdrawal: %s", time.Since(began).Round(100*time.Millisecond))
	if kept, err := s.hostsFile(t.Context(), far, host); err != nil || kept == "" {
		t.Errorf("the node that reaches the hub has lost it: %q (%v)", kept, err)
	}
	s.upstream.Forget()
	pastHub := s.pullTimes(t, "dropped", near, host+"/team/dropped")
	if own := fromNodes(s.upstream.Requests()); len(own) == 0 {
		t.Error("the node pulled, but not from the upstream")
	}
	t.Logf("median of %d pulls: %s without a hub, %s past the dead one, ratio %.2f",
		pulls-1, withoutHub, pastHub, pastHub.Seconds()/withoutHub.Seconds())

	s.await(t, "the hub to tell of the node", func(ctx context.Context) (bool, error) {
		hub, err := s.hub(ctx, "dropped")
		if err != nil || hub.Status.Nodes == nil || len(hub.Status.Nodes.Failing) != 1 {
			return false, err
		}
		failing := hub.Status.Nodes.Failing[0]
		return failing.Name == near.Name && failing.Reason == v1alpha1.NodeReasonHubUnreachable, nil
	})
	s.passPackets(t, near, "dropped")
	s.awaitWired(t, near, host)
	s.awaitReady(t, "dropped")
}

func TestAHubThatDiesIsWithdrawnFromAllNodesAndComesBack(t *testing.T) {
	s := shared
	const host = "dies.e2e.test"
	s.applyHub(t, "dies", host)
	s.awaitReady(t, "dies")
	s.applyHub(t, "dies", host, "  proxy: {nodeSelector: {no-node: has-this}}")
	for _, node := range s.bed.Nodes {
		s.awaitWithdrawn(t, node, host)
	}
	s.applyHub(t, "dies", host)
	for _, node := range s.bed.Nodes {
		s.awaitWired(t, node, host)
	}
	s.awaitReady(t, "dies")
}

// TestAHubIsWithdrawnWithoutTheAPIServer stops the API server, in the way that is hardest on its clients: it takes
// connections and says nothing.
func TestAHubIsWithdrawnWithoutTheAPIServer(t *testing.T) {
	s := shared
	const host = "alone.e2e.test"
	s.applyHub(t, "alone", host)
	s.awaitReady(t, "alone")
	node := s.bed.Nodes[0]
	address := s.clusterIP(t, "alone")
	s.stopAPIServer(t)

	s.dropPacketsTo(t, node, address)
	s.awaitWithdrawn(t, node, host)

	s.killAgent(t, node)
	s.passPacketsTo(t, node, address)
	s.awaitWired(t, node, host)

	// The agent that started without the API server sees a death too.
	s.dropPacketsTo(t, node, address)
	s.awaitWithdrawn(t, node, host)
	s.passPacketsTo(t, node, address)
	s.continueAPIServer(t)
	s.awaitReady(t, "alone")
}

func TestAgentsThatAreKilledLeaveWholeFiles(t *testing.T) {
	s := shared
	const host, kills = "killed.e2e.test", 3 // kubelet waits twice as long before each more
	node := s.bed.Nodes[0]
	s.kubectl(t, "-n", testbed.Namespace, "delete", "pod", s.agentOn(t, node)) // another's kills are not to be waited for
	s.applyHub(t, "killed", host)
	s.awaitReady(t, "killed")
	for i := range kills {
		// Each change of the time-out is another file.
		s.applyHub(t, "killed", host, fmt.Sprintf("  nodes: {dialTimeout: %ds}", i+2))
		s.killAgent(t, node)
		want := fmt.Sprintf("dial_timeout = \"%ds\"", i+2)
		s.await(t, "the change on "+node.Name, func(ctx context.Context) (bool, error) {
			file, err := s.hostsFile(ctx, node, host)
			if err == nil && file != "" && !strings.Contains(file, "\n  dial_timeout = ") {
				t.Errorf("half a file: %q", file)
			}
			return strings.Contains(file, want), err
		})
	}
	s.awaitReady(t, "killed")
}

// pullTimes pulls the images of a repository onto a node, and returns the median of what kubelet says it took.
func (s *suite) pullTimes(t *testing.T, name string, node testbed.Node, repository string) time.Duration {
	t.Helper()
	var took []time.Duration
	for i := range pulls {
		pod := fmt.Sprintf("%s-%d", name, i)
		s.runPod(t, pod, node, fmt.Sprintf("%s:v%d", repository, i))
		took = append(took, s.pullTime(t, pod))
	}
	counted := took[1:]
	slices.Sort(counted)
	return counted[len(counted)/2]
}

var pulledIn = regexp.MustCompile(`Successfully pulled image .* in (\S+) \(`)

func (s *suite) pullTime(t *testing.T, pod string) time.Duration {
	t.Helper()
	message := s.kubectl(t, "get", "events", "--field-selector", "reason=Pulled,involvedObject.name="+pod, "-o", "jsonpath={.items[0].message}")
	found := pulledIn.FindStringSubmatch(message)
	if found == nil {
		t.Fatalf("kubelet says %q of its pull", message)
	}
	took, err := time.ParseDuration(found[1])
	if err != nil {
		t.Fatal(err)
	}
	return took
}

func (s *suite) awaitWithdrawn(t *testing.T, node testbed.Node, host string) {
	t.Helper()
	s.await(t, host+" to be withdrawn from "+node.Name, func(ctx context.Context) (bool, error) {
		file, err := s.hostsFile(ctx, node, host)
		return file == "", err
	})
}

func (s *suite) awaitWired(t *testing.T, node testbed.Node, host string) {
	t.Helper()
	s.await(t, host+" to be on "+node.Name, func(ctx context.Context) (bool, error) {
		file, err := s.hostsFile(ctx, node, host)
		return file != "", err
	})
}

func (s *suite) clusterIP(t *testing.T, hub string) string {
	t.Helper()
	return s.kubectl(t, "-n", testbed.Namespace, "get", "service", "hub-"+hub, "-o", "jsonpath={.spec.clusterIP}")
}

func (s *suite) dropPackets(t *testing.T, node testbed.Node, hub string) {
	t.Helper()
	s.dropPacketsTo(t, node, s.clusterIP(t, hub))
}

func (s *suite) passPackets(t *testing.T, node testbed.Node, hub string) {
	t.Helper()
	s.passPacketsTo(t, node, s.clusterIP(t, hub))
}

// dropPacketsTo drops what the node itself sends to an address, before kube-proxy's rules send it elsewhere. The test's
// end lets it pass again.
func (s *suite) dropPacketsTo(t *testing.T, node testbed.Node, address string) {
	t.Helper()
	s.onNode(t, node, "iptables", "-t", "mangle", "-I", "OUTPUT", "-d", address, "-p", "tcp", "-j", "DROP")
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		_, _ = s.bed.Node(ctx, node.Name, "iptables", "-t", "mangle", "-D", "OUTPUT", "-d", address, "-p", "tcp", "-j", "DROP")
	})
}

func (s *suite) passPacketsTo(t *testing.T, node testbed.Node, address string) {
	t.Helper()
	s.onNode(t, node, "iptables", "-t", "mangle", "-D", "OUTPUT", "-d", address, "-p", "tcp", "-j", "DROP")
}

func (s *suite) onNode(t *testing.T, node testbed.Node, command ...string) {
	t.Helper()
	if _, err := s.bed.Node(t.Context(), node.Name, command...); err != nil {
		t.Fatal(err)
	}
}

// killAgent ends the agent's process, and waits until kubelet has started another.
func (s *suite) killAgent(t *testing.T, node testbed.Node) {
	t.Helper()
	before := s.agentProcess(t.Context(), node)
	if before == "" {
		t.Fatalf("no agent runs on %s", node.Name)
	}
	s.onNode(t, node, "kill", "-KILL", before)
	s.await(t, "another agent on "+node.Name, func(ctx context.Context) (bool, error) {
		now := s.agentProcess(ctx, node)
		return now != "" && now != before, nil
	})
}

// agentProcess is the number of the agent's process inside the node; it is empty while none runs.
func (s *suite) agentProcess(ctx context.Context, node testbed.Node) string {
	out, err := s.bed.Node(ctx, node.Name, "pgrep", "-f", "^/[^ ]*registryhub node-agent ")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(out)
}

// controlPlane is the sandbox that the API server is in.
const controlPlane = "control-plane"

func (s *suite) stopAPIServer(t *testing.T) {
	t.Helper()
	s.signalAPIServer(t, "-STOP")
	t.Cleanup(func() { s.signalAPIServer(t, "-CONT") })
}

func (s *suite) continueAPIServer(t *testing.T) {
	t.Helper()
	s.signalAPIServer(t, "-CONT")
}

func (s *suite) signalAPIServer(t *testing.T, signal string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	process, err := s.bed.Node(ctx, controlPlane, "pgrep", "-x", "kube-apiserver")
	if err == nil {
		_, err = s.bed.Node(ctx, controlPlane, "kill", signal, strings.TrimSpace(process))
	}
	if err != nil {
		t.Fatal(err)
	}
}
