package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/hack/testbed"
)

// ailment is an edit of the configuration of a node's containerd, and how the node tells of it.
type ailment struct{ from, to, reason string }

func ailmentOf(release string) ailment {
	if release == "1.6" {
		return ailment{`config_path = "[^"]*"`, `config_path = ""`, v1alpha1.NodeReasonConfigPathUnset}
	}
	return ailment{`config_path = "\(/[^"]*\)"`, `config_path = "\1:/etc/docker/certs.d"`, v1alpha1.NodeReasonTransferServiceMultiRoot}
}

func TestARemedyCuresANode(t *testing.T) {
	s := shared
	node, ails := s.bed.Nodes[0], ailmentOf(containerdRelease())
	s.applyHub(t, "remedied", "remedied.e2e.test")
	s.awaitReady(t, "remedied")
	s.keepConfiguration(t, node)
	s.runScript(t, node, fmt.Sprintf("sed -i 's#%s#%s#' %s", ails.from, ails.to, containerdConfiguration))
	broken := s.fileOn(t, node, containerdConfiguration)
	s.restartContainerd(t, node)
	s.await(t, "the node to tell of "+ails.reason, func(context.Context) (bool, error) {
		exceptions := s.nodeMirror(t, node).Exceptions
		return len(exceptions) == 1 && exceptions[0].Reason == ails.reason, nil
	})

	s.giveSystemd(t, node)
	s.runScript(t, node, "touch "+refuseRestart)
	s.setRemedy(t, "DropInAndRestart")
	t.Run("and undoes what containerd does not come back with", func(t *testing.T) {
		s.restartAsAsked(t, node)
		s.awaitTold(t, node, v1alpha1.ReasonRemedyFailed)
		if now := s.fileOn(t, node, containerdConfiguration); now != broken {
			t.Errorf("what was there is not put back: %s", now)
		}
		if left := s.fileOn(t, node, "/etc/containerd/registryhub.d/*"); left != "" {
			t.Errorf("a drop-in is left: %s", left)
		}
	})
	s.kubectl(t, "-n", testbed.Namespace, "delete", "jobs", "-l", "app.kubernetes.io/component=remedy")
	s.restartAsAsked(t, node)
	s.awaitReady(t, "remedied")
	if exceptions := s.nodeMirror(t, node).Exceptions; len(exceptions) > 0 {
		t.Errorf("the node still tells of %+v", exceptions)
	}
	if kept := s.fileOn(t, node, containerdConfiguration+".before-registryhub"); kept != broken {
		t.Errorf("what was there is not kept: %s", kept)
	}
	s.awaitTold(t, node, v1alpha1.ReasonRemedyEnded)
	s.await(t, "the Job to be gone", func(ctx context.Context) (bool, error) {
		jobs, err := s.bed.Kubectl(ctx, "-n", testbed.Namespace, "get", "jobs", "-o", "name")
		return jobs == "", err
	})
}

// restartAsAsked restarts a node's containerd when the node's systemctl asks for it.
func (s *suite) restartAsAsked(t *testing.T, node testbed.Node) {
	t.Helper()
	s.await(t, "the remedy to have containerd restarted", func(ctx context.Context) (bool, error) {
		out, err := s.bed.Node(ctx, node.Name, "sh", "-c", "cat "+restartRequest+" 2>/dev/null || true")
		return strings.Contains(out, "containerd.service"), err
	})
	s.restartContainerd(t, node)
	s.runScript(t, node, "rm "+restartRequest)
}

// awaitTold waits for an event of a node.
func (s *suite) awaitTold(t *testing.T, node testbed.Node, reason string) {
	t.Helper()
	s.await(t, "an event "+reason, func(ctx context.Context) (bool, error) {
		told, err := s.bed.Kubectl(ctx, "get", "events", "-o", "jsonpath={.items[*].reason}", "--field-selector", "involvedObject.name="+node.Name)
		return strings.Contains(told, reason), err
	})
}

// fileOn is what a file holds, or files that a pattern names; nothing where there is none.
func (s *suite) fileOn(t *testing.T, node testbed.Node, name string) string {
	t.Helper()
	text, err := s.bed.Node(t.Context(), node.Name, "sh", "-c", "cat "+name+" 2>/dev/null || true")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// keepConfiguration puts the configuration of a node's containerd back when the test ends, and removes what a remedy made.
func (s *suite) keepConfiguration(t *testing.T, node testbed.Node) {
	t.Helper()
	s.runScript(t, node, fmt.Sprintf("cp -p %[1]s %[1]s.kept", containerdConfiguration))
	t.Cleanup(func() {
		s.runScript(t, node, fmt.Sprintf("mv %[1]s.kept %[1]s && rm -rf /etc/containerd/registryhub.d %[1]s.before-registryhub", containerdConfiguration))
		s.restartContainerd(t, node)
	})
}

// setRemedy has the manager work with a mode of remedies, until the test ends.
func (s *suite) setRemedy(t *testing.T, mode string) {
	t.Helper()
	s.kubectl(t, "apply", "-f", "config/remedies/role.yaml")
	configMap := s.kubectl(t, "-n", testbed.Namespace, "get", "deployment", "registryhub-manager", "-o", "jsonpath={.spec.template.spec.volumes[0].configMap.name}")
	before := s.kubectl(t, "-n", testbed.Namespace, "get", "configmap", configMap, "-o", `jsonpath={.data.operator-configuration\.yaml}`)
	s.configure(t, configMap, before+"\nremedy: "+mode+"\n")
	t.Cleanup(func() {
		s.configure(t, configMap, before)
		if _, err := s.bed.Kubectl(context.WithoutCancel(t.Context()), "delete", "-f", "config/remedies/role.yaml"); err != nil {
			t.Error(err)
		}
	})
}

func (s *suite) configure(t *testing.T, configMap, text string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	patch := fmt.Sprintf(`{"data":{"operator-configuration.yaml":%q}}`, text)
	for _, args := range [][]string{
		{"patch", "configmap", configMap, "--patch", patch},
		{"rollout", "restart", "deployment/registryhub-manager"},
		{"rollout", "status", "deployment/registryhub-manager", "--timeout=3m"},
	} {
		if _, err := s.bed.Kubectl(ctx, append([]string{"-n", testbed.Namespace}, args...)...); err != nil {
			t.Fatalf("%v\n%s", err, s.scene(t))
		}
	}
}

// restartRequest is a file that is there while containerd is to be restarted.
const restartRequest = "/run/e2e-restart"

// refuseRestart is a file for which the next restart fails.
const refuseRestart = "/run/e2e-refuse"

// systemctl asks the test to restart containerd, which the supervisor of the cluster's nodes does from outside.
const systemctl = `#!/bin/sh
case "$1" in
show) for comm in /proc/[0-9]*/comm; do
    if [ "$(cat $comm)" = containerd ]; then comm=${comm#/proc/}; echo ${comm%/comm}; exit; fi
  done ;;
restart) if [ -e ` + refuseRestart + ` ]; then rm ` + refuseRestart + `; echo 'containerd.service failed' >&2; exit 1; fi
  echo "$2" > ` + restartRequest + `; while [ -e ` + restartRequest + ` ]; do sleep 0.1; done ;;
esac
`

// giveSystemd has a node look as if systemd ran its containerd, until the test ends. The cluster's nodes have none.
func (s *suite) giveSystemd(t *testing.T, node testbed.Node) {
	t.Helper()
	const folder = "/usr/local/sbin"
	s.runScript(t, node, fmt.Sprintf("mkdir -p /run/systemd/system && mount -t tmpfs -o mode=755 e2e %[1]s && cat > %[1]s/systemctl <<'EOF'\n%[2]sEOF\nchmod 755 %[1]s/systemctl", folder, systemctl))
	t.Cleanup(func() {
		s.runScript(t, node, "umount "+folder+" && rm -rf /run/systemd "+restartRequest+" "+refuseRestart)
	})
}
