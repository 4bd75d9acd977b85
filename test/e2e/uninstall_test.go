package e2e

import (
	"strings"
	"testing"

	"github.com/registryhub/registryhub/hack/testbed"
)

// TestDeletingTheNamespaceRestoresTheNodes is what people do who are in a hurry. Since Kubernetes 1.33 the Pods go before the
// DaemonSet.
func TestDeletingTheNamespaceRestoresTheNodes(t *testing.T) {
	s := shared
	s.applyHub(t, "namespace", "namespace.e2e.test")
	s.awaitReady(t, "namespace")
	s.kubectl(t, "delete", "namespace", testbed.Namespace, "--timeout=3m")
	for _, node := range s.bed.Nodes {
		s.mustBeRestored(t, node)
	}
	if err := install(t.Context(), s.bed); err != nil {
		t.Fatalf("installing it again: %v\n%s", err, s.scene(t))
	}
	s.awaitReady(t, "namespace")
}

// The last test of the suite, by its file's name: nothing is installed after it.
func TestUninstallingLeavesNothingOnTheNodes(t *testing.T) {
	s := shared
	const host = "uninstall.e2e.test"
	s.applyHub(t, "uninstall", host)
	s.awaitReady(t, "uninstall")
	s.kubectl(t, "delete", "registryhubs", "--all", "--timeout=2m")
	if err := s.bed.UninstallOperator(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, s.scene(t))
	}
	s.uninstalled = true
	for _, node := range s.bed.Nodes {
		s.mustBeRestored(t, node)
	}
}

// mustBeRestored: nothing of ours is left on the node.
func (s *suite) mustBeRestored(t *testing.T, node testbed.Node) {
	t.Helper()
	if left := strings.TrimSpace(s.entries(t, node)); left != "" {
		t.Errorf("%s still has %q in %s", node.Name, left, node.CertsDir)
	}
	left, err := s.bed.Node(t.Context(), node.Name, "sh", "-c", "find /run/registryhub -mindepth 1 2>/dev/null || true")
	if err != nil || strings.TrimSpace(left) != "" {
		t.Errorf("%s still has %q in /run/registryhub (%v)", node.Name, left, err)
	}
}
