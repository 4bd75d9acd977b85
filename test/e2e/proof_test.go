package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/hack/testbed"
)

// containerdConfiguration is where the cluster's nodes have it.
const containerdConfiguration = "/etc/containerd/config.toml"

func TestNodesProveThatTheyPullThroughTheHub(t *testing.T) {
	s := shared
	const host = "proof.e2e.test"
	s.upstream.Forget()
	s.applyHub(t, "proof", host)
	s.awaitReady(t, "proof")

	t.Run("which takes a canary on each node, and nothing of the upstream", func(t *testing.T) {
		for _, node := range s.bed.Nodes {
			if status := s.nodeMirror(t, node); !isProven(status) {
				t.Errorf("%s reports %+v, which is not proven", node.Name, status)
			}
			left, err := s.bed.Node(t.Context(), node.Name, "ctr", "-n", "k8s.io", "images", "list", "-q")
			if err != nil || strings.Contains(left, "registryhub.invalid") {
				t.Errorf("%s has canaries left: %s (%v)", node.Name, left, err)
			}
		}
		for _, request := range s.upstream.Requests() {
			if strings.Contains(request.Path, "registryhub.invalid") {
				t.Errorf("the upstream was asked for a canary: %+v", request)
			}
		}
	})
	if containerdRelease() == "1.6" {
		t.Run("and fails without a config_path", func(t *testing.T) {
			s.mustReport(t, "proof", `config_path = "[^"]*"`, `config_path = ""`, v1alpha1.NodeReasonConfigPathUnset)
		})
		s.awaitReady(t, "proof")
		return
	}
	t.Run("and fails where config_path is a list", func(t *testing.T) {
		s.mustReport(t, "proof", `config_path = "\(/[^"]*\)"`, `config_path = "\1:/etc/docker/certs.d"`, v1alpha1.NodeReasonTransferServiceMultiRoot)
	})
	t.Run("and fails where config_path is another directory", func(t *testing.T) {
		s.mustReport(t, "proof", `config_path = "/[^"]*"`, `config_path = "/etc/elsewhere"`, v1alpha1.NodeReasonConfigPathUnset)
	})
	s.awaitReady(t, "proof")
}

// mustReport edits the configuration of one node's containerd and restarts it: the hub has to tell of it, and to be well
// again once that is undone.
func (s *suite) mustReport(t *testing.T, hub, from, to, reason string) {
	t.Helper()
	s.awaitReady(t, hub)
	node := s.bed.Nodes[0]
	undo := fmt.Sprintf("mv %[1]s.before %[1]s", containerdConfiguration)
	edit := fmt.Sprintf("cp -p %[1]s %[1]s.before && sed -i 's#%[2]s#%[3]s#' %[1]s && ! cmp -s %[1]s %[1]s.before", containerdConfiguration, from, to)
	s.runScript(t, node, edit)
	t.Cleanup(func() {
		s.runScript(t, node, undo)
		s.restartContainerd(t, node)
	})
	s.restartContainerd(t, node)
	s.await(t, "the hub to report "+reason, func(ctx context.Context) (bool, error) {
		seen, err := s.hub(ctx, hub)
		if err != nil || seen.Status.Nodes == nil || len(seen.Status.Nodes.Failing) != 1 {
			return false, err
		}
		failing := seen.Status.Nodes.Failing[0]
		return failing.Name == node.Name && failing.Reason == reason && condition(seen, v1alpha1.ConditionReady).Status == "False", nil
	})
}

func (s *suite) runScript(t *testing.T, node testbed.Node, script string) {
	t.Helper()
	if _, err := s.bed.Node(context.WithoutCancel(t.Context()), node.Name, "sh", "-c", script); err != nil {
		t.Fatal(err)
	}
}

func (s *suite) restartContainerd(t *testing.T, node testbed.Node) {
	t.Helper()
	if err := s.bed.RestartContainerd(context.WithoutCancel(t.Context()), node.Name); err != nil {
		t.Fatal(err)
	}
}

// isProven says whether a node's runtime has pulled a canary through each hub that it is led to.
func isProven(status v1alpha1.NodeMirrorStatus) bool {
	return status.ProvenRevision != nil && *status.ProvenRevision == status.Revision
}

func (s *suite) nodeMirror(t *testing.T, node testbed.Node) v1alpha1.NodeMirrorStatus {
	t.Helper()
	mirror := v1alpha1.NodeMirror{}
	if err := json.Unmarshal([]byte(s.kubectl(t, "get", "nodemirror", node.Name, "-o", "json")), &mirror); err != nil {
		t.Fatal(err)
	}
	return mirror.Status
}
