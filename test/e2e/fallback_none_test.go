package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/hack/cluster/plan"
	"github.com/registryhub/registryhub/hack/testbed"
)

const noFallback = "  nodes: {fallback: None}"

func TestAHubWithoutFallbackLetsNoPullPast(t *testing.T) {
	s := shared
	const host = "none.e2e.test"
	node := s.bed.Nodes[0]
	for _, tag := range []string{"v1", "v2", "v3"} {
		s.images.push(t, "team/none", tag)
	}
	s.applyHub(t, "none", host, noFallback)
	s.awaitReady(t, "none")
	s.upstream.Forget()
	s.runPod(t, "none-1", node, host+"/team/none:v1")

	s.applyHub(t, "none", host, noFallback, "  proxy: {nodeSelector: {no-node: has-this}}")
	s.await(t, "the proxy to be gone", func(ctx context.Context) (bool, error) {
		ready, err := s.bed.Kubectl(ctx, "-n", testbed.Namespace, "get", "endpointslices", "-l", "kubernetes.io/service-name=hub-none", "-o", "jsonpath={.items[*].endpoints[*].addresses}")
		return ready == "", err
	})
	s.startPod(t, "none-2", node, host+"/team/none:v2")
	s.awaitPullError(t, "none-2")
	if file, err := s.hostsFile(t.Context(), node, host); err != nil || !strings.Contains(file, "\nserver = \"https://") {
		t.Errorf("while the hub is gone the file is %q (%v)", file, err)
	}

	// What a boot leaves, before the agent is back.
	goOn := s.stopAgent(t, node)
	s.onNode(t, node, "find", "/run/registryhub", "-mindepth", "1", "-delete")
	s.startPod(t, "none-3", node, host+"/team/none:v3")
	s.awaitPullError(t, "none-3")
	goOn()

	s.applyHub(t, "none", host, noFallback)
	s.awaitRunning(t, "none-2", node)
	s.awaitRunning(t, "none-3", node)
	s.awaitReady(t, "none")
	if own := fromNodes(s.upstream.Requests()); len(own) > 0 {
		t.Errorf("nodes asked the upstream: %+v", own)
	}

	s.applyHub(t, "none", host, "  nodes: {fallback: Upstream}")
	s.await(t, "the upstream to be in the file again", func(ctx context.Context) (bool, error) {
		file, err := s.hostsFile(ctx, node, host)
		return file != "" && !strings.Contains(file, "\nserver = "), err
	})
	s.await(t, "nothing lasting to be left", func(context.Context) (bool, error) {
		return !strings.Contains(s.entries(t, node), "registryhub#hosts"), nil
	})
	s.awaitReady(t, "none")
}

func TestNoFallbackIsRefusedForWhatTheClusterStartsWith(t *testing.T) {
	s := shared
	for _, tc := range []struct{ hub, image string }{{"refused-own", testbed.Image}, {"refused-sandbox", plan.PauseImage}} {
		host, _, _ := strings.Cut(tc.image, "/")
		s.applyHub(t, tc.hub, host, noFallback)
		s.await(t, tc.hub+" to be refused", func(ctx context.Context) (bool, error) {
			hub, err := s.hub(ctx, tc.hub)
			if err != nil {
				return false, err
			}
			stalled := condition(hub, v1alpha1.ConditionStalled)
			return stalled.Reason == v1alpha1.ReasonFallbackRefused && strings.Contains(stalled.Message, tc.image), nil
		})
		for _, node := range s.bed.Nodes {
			s.awaitWired(t, node, host)
			if file, err := s.hostsFile(t.Context(), node, host); err != nil || strings.Contains(file, "\nserver = ") {
				t.Errorf("%s has no fallback for %s: %q (%v)", node.Name, host, file, err)
			}
		}
		s.applyHub(t, tc.hub, host, "  nodes: {fallback: Upstream}")
		s.awaitReady(t, tc.hub)
	}
}

// startPod starts a Pod, which the test's end removes.
func (s *suite) startPod(t *testing.T, name string, node testbed.Node, image string) {
	t.Helper()
	if err := s.bed.Apply(t.Context(), fmt.Sprintf(podManifest, name, node.Name, image)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = s.bed.Kubectl(context.WithoutCancel(t.Context()), "delete", "pod", name, "--now", "--ignore-not-found")
	})
}

func (s *suite) awaitPullError(t *testing.T, pod string) {
	t.Helper()
	s.await(t, "the pull of Pod "+pod+" to fail", func(ctx context.Context) (bool, error) {
		reason, err := s.bed.Kubectl(ctx, "get", "pod", pod, "-o", "jsonpath={.status.containerStatuses[0].state.waiting.reason}")
		return reason == "ErrImagePull" || reason == "ImagePullBackOff", err
	})
}

func (s *suite) awaitRunning(t *testing.T, pod string, node testbed.Node) {
	t.Helper()
	s.await(t, "Pod "+pod+" to run on "+node.Name, func(ctx context.Context) (bool, error) {
		out, err := s.bed.Kubectl(ctx, "get", "pod", pod, "-o", `jsonpath={.status.conditions[?(@.type=="Ready")].status}`)
		return out == "True", err
	})
}

// stopAgent keeps the agent from doing anything, for less time than kubelet's patience with it, until goOn is called.
func (s *suite) stopAgent(t *testing.T, node testbed.Node) (goOn func()) {
	t.Helper()
	process := s.agentProcess(t.Context(), node)
	if process == "" {
		t.Fatalf("no agent runs on %s", node.Name)
	}
	s.onNode(t, node, "kill", "-STOP", process)
	goOn = func() { _, _ = s.bed.Node(context.WithoutCancel(t.Context()), node.Name, "kill", "-CONT", process) }
	t.Cleanup(goOn)
	return goOn
}
