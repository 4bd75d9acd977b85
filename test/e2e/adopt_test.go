package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

func TestAForeignHostsFileIsAdoptedAndPutBack(t *testing.T) {
	s := shared
	const host = "adopted.e2e.test"
	node := s.bed.Nodes[0]
	theirs := fmt.Sprintf("server = \"https://%s\"\n\n[host.\"https://theirs.e2e.test\"]\n  capabilities = [\"pull\"]\n", host)
	write := fmt.Sprintf("mkdir -p %[1]s/%[2]s && printf %%s '%[3]s' > %[1]s/%[2]s/hosts.toml", node.CertsDir, host, theirs)
	s.onNode(t, node, "sh", "-c", write)
	t.Cleanup(func() {
		if _, err := s.bed.Node(context.WithoutCancel(t.Context()), node.Name, "rm", "-rf", node.CertsDir+"/"+host); err != nil {
			t.Error(err)
		}
	})
	s.applyHub(t, "adopted", host, "  nodes: {foreignConfig: Adopt}")
	s.awaitReady(t, "adopted")
	adopted, err := s.hostsFile(t.Context(), node, host)
	if err != nil || !strings.Contains(adopted, "for hub \"adopted\"") || !strings.Contains(adopted, "theirs.e2e.test") {
		t.Errorf("the adopted file is\n%s (%v)", adopted, err)
	}
	s.kubectl(t, "delete", "registryhub", "adopted", "--timeout=2m")
	if kept, err := s.hostsFile(t.Context(), node, host); err != nil || kept != theirs {
		t.Errorf("after the hub is gone the file is\n%s (%v)", kept, err)
	}
}
