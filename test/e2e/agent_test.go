package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/hack/testbed"
)

func TestTheAgentKeepsItsFiles(t *testing.T) {
	s := shared
	const host = "agent.e2e.test"
	s.applyHub(t, "agent", host)
	s.awaitReady(t, "agent")
	node := s.bed.Nodes[0]
	written, err := s.hostsFile(t.Context(), node, host)
	if err != nil || written == "" {
		t.Fatalf("the host's file is %q (%v)", written, err)
	}

	t.Run("when it is restarted", func(t *testing.T) {
		old := s.agentOn(t, node)
		s.kubectl(t, "-n", testbed.Namespace, "delete", "pod", old)
		if kept, err := s.hostsFile(t.Context(), node, host); err != nil || kept != written {
			t.Errorf("while the agent is away the file is %q (%v)", kept, err)
		}
		s.await(t, "another agent on "+node.Name, func(context.Context) (bool, error) { return s.agentOn(t, node) != old, nil })
		s.awaitReady(t, "agent")
		if kept, err := s.hostsFile(t.Context(), node, host); err != nil || kept != written {
			t.Errorf("after the restart the file is %q (%v)", kept, err)
		}
	})
	t.Run("when a person edits them", func(t *testing.T) {
		edit := fmt.Sprintf("echo 'server = \"https://nowhere.invalid\"' > %s/%s/hosts.toml", node.CertsDir, host)
		if _, err := s.bed.Node(t.Context(), node.Name, "sh", "-c", edit); err != nil {
			t.Fatal(err)
		}
		s.await(t, "the edit to be undone", func(ctx context.Context) (bool, error) {
			now, err := s.hostsFile(ctx, node, host)
			return now == written, err
		})
	})
}

func (s *suite) agentOn(t *testing.T, node testbed.Node) string {
	t.Helper()
	return s.kubectl(t, "-n", testbed.Namespace, "get", "pods", "-l", "app.kubernetes.io/component=node-agent",
		"--field-selector", "status.phase=Running,spec.nodeName="+node.Name, "-o", "jsonpath={.items[*].metadata.name}")
}

func TestAForeignHostsFileIsLeftAlone(t *testing.T) {
	s := shared
	const host, foreign = "foreign.e2e.test", "server = \"https://foreign.e2e.test\"\n"
	node := s.bed.Nodes[0]
	write := fmt.Sprintf("mkdir -p %[1]s/%[2]s && printf %%s '%[3]s' > %[1]s/%[2]s/hosts.toml", node.CertsDir, host, foreign)
	if _, err := s.bed.Node(t.Context(), node.Name, "sh", "-c", write); err != nil {
		t.Fatal(err)
	}
	s.applyHub(t, "foreign", host)

	s.await(t, "the hub to tell of the foreign file", func(ctx context.Context) (bool, error) {
		hub, err := s.hub(ctx, "foreign")
		if err != nil || hub.Status.Nodes == nil || len(hub.Status.Nodes.Failing) != 1 {
			return false, err
		}
		failing := hub.Status.Nodes.Failing[0]
		return failing.Name == node.Name && failing.Reason == v1alpha1.NodeReasonForeignHostsFile &&
			condition(hub, v1alpha1.ConditionReady).Status == "False" && hub.Status.Nodes.Wired == int32(len(s.bed.Nodes)-1), nil
	})
	if kept, err := s.hostsFile(t.Context(), node, host); err != nil || kept != foreign {
		t.Errorf("the foreign file is now %q (%v)", kept, err)
	}
	if _, err := s.bed.Node(t.Context(), node.Name, "rm", "-r", node.CertsDir+"/"+host); err != nil {
		t.Fatal(err)
	}
	s.awaitReady(t, "foreign")
}

func TestADeletedHubLeavesTheNodes(t *testing.T) {
	s := shared
	const host = "deleted.e2e.test"
	s.images.push(t, "team/deleted", "v1")
	s.applyHub(t, "deleted", host)
	s.awaitReady(t, "deleted")
	s.kubectl(t, "delete", "registryhub", "deleted", "--timeout=2m")
	for _, node := range s.bed.Nodes {
		if left := s.entries(t, node); strings.Contains(left, host) {
			t.Errorf("%s still has %q when the hub is gone", node.Name, left)
		}
	}
	s.await(t, "the hub to leave nothing", func(ctx context.Context) (bool, error) {
		left, err := s.bed.Kubectl(ctx, "-n", testbed.Namespace, "get", "deployments,services,configmaps,pvc,pods", "-l", "registryhub.io/hub=deleted", "-o", "name")
		return left == "", err
	})
	s.upstream.Forget()
	s.runPod(t, "deleted", s.bed.Nodes[1], host+"/team/deleted:v1")
	if own := fromNodes(s.upstream.Requests()); len(own) == 0 {
		t.Error("the node pulled, but not from the upstream")
	}
}

func TestPullsGoToTheUpstreamWhileTheHubIsDown(t *testing.T) {
	s := shared
	const host = "gone.e2e.test"
	s.images.push(t, "team/gone", "v1")
	s.applyHub(t, "gone", host)
	s.awaitReady(t, "gone")
	s.applyHub(t, "gone", host, "  proxy: {nodeSelector: {no-node: has-this}}")
	s.await(t, "the hub to say that its proxy is gone", func(ctx context.Context) (bool, error) {
		hub, err := s.hub(ctx, "gone")
		return err == nil && condition(hub, v1alpha1.ConditionProxyAvailable).Status == "False", err
	})
	s.await(t, "the proxy to be gone", func(ctx context.Context) (bool, error) {
		ready, err := s.bed.Kubectl(ctx, "-n", testbed.Namespace, "get", "endpointslices", "-l", "kubernetes.io/service-name=hub-gone", "-o", "jsonpath={.items[*].endpoints[*].addresses}")
		return ready == "", err
	})
	s.upstream.Forget()
	s.runPod(t, "gone", s.bed.Nodes[0], host+"/team/gone:v1")
	if own := fromNodes(s.upstream.Requests()); len(own) == 0 {
		t.Error("the node pulled, but not from the upstream")
	}
}
