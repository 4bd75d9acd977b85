package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/registryhub/registryhub/controllers/nodeagent/cri"
	"github.com/registryhub/registryhub/hack/testbed"
)

// TestARebootedNodePullsFromTheUpstreamUntilItIsWiredAgain cuts the power of the node that the hub's proxy runs on: when
// containerd is back and nothing else, there is no hub, no way to its Service, and no agent that could know.
func TestARebootedNodePullsFromTheUpstreamUntilItIsWiredAgain(t *testing.T) {
	s := shared
	const host, direct = "rebooted.e2e.test", "direct.e2e.test"
	s.images.push(t, "team/rebooted", "v1")
	s.images.push(t, "team/rebooted", "v2")
	s.images.push(t, "team/unwired", "v1")
	s.applyHub(t, "rebooted", host)
	s.awaitReady(t, "rebooted")
	node := s.nodeOf(t, s.proxyPod(t, "rebooted").Spec.NodeName)
	before := s.bootID(t, node)
	s.powerOff(t, node)
	s.powerOn(t, node, "containerd")

	t.Run("which it does at once, before the agent is back", func(t *testing.T) {
		if !strings.Contains(s.entries(t, node), host) {
			t.Errorf("%s has no entry for the host: a dangling link was to be seen", node.Name)
		}
		if file, err := s.hostsFile(t.Context(), node, host); err != nil || file != "" {
			t.Errorf("after the reboot the host's file is %q (%v)", file, err)
		}
		unwired := s.pullByRuntime(t, node, direct+"/team/unwired:v1")
		s.upstream.Forget()
		wired := s.pullByRuntime(t, node, host+"/team/rebooted:v1")
		if own := fromNodes(s.upstream.Requests()); len(own) == 0 {
			t.Error("the node pulled, but not from the upstream")
		}
		t.Logf("a pull of a host without a hub took %s, one of the hub's host %s", unwired, wired)
	})
	began := time.Now()
	s.powerOn(t, node)
	s.await(t, node.Name+" to report another boot", func(ctx context.Context) (bool, error) {
		now, err := s.bed.BootID(ctx, node.Name)
		return now != before, err
	})
	for _, each := range s.bed.Nodes {
		s.awaitWired(t, each, host)
	}
	t.Logf("from the start of kubelet to the hub being on all nodes again: %s", time.Since(began).Round(100*time.Millisecond))
	t.Run("and then through the hub", func(t *testing.T) {
		s.upstream.Forget()
		s.runPod(t, "rebooted", node, host+"/team/rebooted:v2")
		s.mustHaveAskedTheHubAlone(t)
	})
	t.Run("which is proven anew", func(t *testing.T) {
		s.awaitCanary(t, "rebooted", 0) // the proxy was on the node too: it has counted from nothing since
		s.awaitReady(t, "rebooted")
	})
}

func (s *suite) nodeOf(t *testing.T, name string) testbed.Node {
	t.Helper()
	for _, node := range s.bed.Nodes {
		if node.Name == name {
			return node
		}
	}
	t.Fatalf("the cluster has no node %q", name)
	return testbed.Node{}
}

func (s *suite) bootID(t *testing.T, node testbed.Node) string {
	t.Helper()
	id, err := s.bed.BootID(t.Context(), node.Name)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// powerOff ends a node. The test's end has it run again.
func (s *suite) powerOff(t *testing.T, node testbed.Node) {
	t.Helper()
	t.Cleanup(func() {
		if err := s.bed.PowerOn(context.WithoutCancel(t.Context()), node.Name); err != nil {
			t.Error(err)
		}
	})
	if err := s.bed.PowerOff(t.Context(), node.Name); err != nil {
		t.Fatal(err)
	}
}

func (s *suite) powerOn(t *testing.T, node testbed.Node, processes ...string) {
	t.Helper()
	if err := s.bed.PowerOn(t.Context(), node.Name, processes...); err != nil {
		t.Fatal(err)
	}
}

// pullByRuntime has a node's runtime pull an image as kubelet does, without a kubelet, and says how long it took.
func (s *suite) pullByRuntime(t *testing.T, node testbed.Node, image string) time.Duration {
	t.Helper()
	socket, err := s.bed.RuntimeSocket(t.Context(), node.Name)
	if err != nil {
		t.Fatal(err)
	}
	client, err := cri.New(socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	began := time.Now()
	if _, err := client.Pull(t.Context(), image); err != nil {
		t.Fatal(err)
	}
	return time.Since(began).Round(time.Millisecond)
}
