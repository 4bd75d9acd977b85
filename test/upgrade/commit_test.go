package upgrade

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// earlierImage is what the earlier commit's operator is packed as, and overlay how it is installed as that.
const (
	earlierImage = "ghcr.io/registryhub/registryhub:earlier"
	overlay      = `apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [../../config/default]
images:
- {name: ghcr.io/registryhub/registryhub, newTag: earlier}
`
)

// earlierTree unpacks an earlier commit, with an overlay in bin/earlier.
func earlierTree(t *testing.T) string {
	t.Helper()
	commit := os.Getenv("REGISTRYHUB_UPGRADE_FROM")
	if commit == "" {
		commit = "HEAD~1"
	}
	tree := t.TempDir()
	archive := filepath.Join(t.TempDir(), "tree.tar")
	git := exec.CommandContext(t.Context(), "git", "archive", "--output", archive, commit)
	git.Dir = bed.Root()
	if out, err := git.CombinedOutput(); err != nil {
		t.Fatalf("unpacking %s: %v: %s(in a shallow clone, fetch what is before it: git fetch --deepen=1)", commit, err, out)
	}
	if out, err := exec.CommandContext(t.Context(), "tar", "-xf", archive, "-C", tree).CombinedOutput(); err != nil {
		t.Fatalf("unpacking %s: %v: %s", commit, err, out)
	}
	folder := filepath.Join(tree, "bin", "earlier")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "kustomization.yaml"), []byte(overlay), 0o600); err != nil {
		t.Fatal(err)
	}
	described := exec.CommandContext(t.Context(), "git", "log", "-1", "--format=%h %s", commit)
	described.Dir = bed.Root()
	out, err := described.Output()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("from %s to this tree", fmt.Sprintf("%q", bytes.TrimSpace(out)))
	return tree
}
