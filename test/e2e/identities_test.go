package e2e

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/registryhub/registryhub/hack/debian"
)

// identitiesManifest is a registry whose users are those of the cluster alone.
var identitiesManifest = strings.Replace(localManifest, "htpasswdSecretRef: {name: e2e-users}", "kubernetes: {}", 1)

// TestAPodRunsWhatAServiceAccountPushed follows docs/guides/registry.md: its ServiceAccount and rights, kubectl create token,
// skopeo login.
func TestAPodRunsWhatAServiceAccountPushed(t *testing.T) {
	s := shared
	const hub, host = "internal", "registry.internal"
	s.applyManifest(t, identitiesManifest, hub, host)
	s.applyGuide(t)
	s.awaitReady(t, hub)
	token := strings.TrimSpace(s.kubectl(t, "-n", "team", "create", "token", "builder", "--audience", "registryhub.io/internal", "--duration", "1h"))

	s.skopeoPush(t, hub, "team/app:v1", token, s.images.build(t))
	s.runPod(t, "pushed-by-builder", s.bed.Nodes[0], host+"/team/app:v1")
	builder := &authn.Basic{Username: "serviceaccount", Password: token}
	if err := s.pushTo(t, hub, "team/app:v2", s.images.build(t), builder); err != nil {
		t.Error(err)
	}
	if err := s.pushTo(t, hub, "other/app:v1", s.images.build(t), builder); err == nil || !strings.Contains(err.Error(), "403 Forbidden") {
		t.Errorf("where it has no right: %v", err)
	}
	ours := strings.TrimSpace(s.kubectl(t, "-n", "team", "create", "token", "builder"))
	if err := s.pushTo(t, hub, "team/app:v3", s.images.build(t), &authn.Basic{Username: "serviceaccount", Password: ours}); err == nil {
		t.Error("a token for the API server is taken")
	}
}

// applyGuide applies what the guide shows but its hub, in a namespace of its own, until the test ends. Its Pod builds nothing, and is only
// looked at by the API server.
func (s *suite) applyGuide(t *testing.T) {
	t.Helper()
	guide, err := os.ReadFile(filepath.Join(s.bed.Root(), "docs", "guides", "registry.md"))
	if err != nil {
		t.Fatal(err)
	}
	s.kubectl(t, "create", "namespace", "team")
	s.cleanUp(t, "delete", "namespace", "team", "--wait=false")
	for _, part := range strings.Split(string(guide), "```yaml\n")[1:] {
		example, _, _ := strings.Cut(part, "```")
		file := filepath.Join(t.TempDir(), "example.yaml")
		if err := os.WriteFile(file, []byte(example), 0o600); err != nil {
			t.Fatal(err)
		}
		switch {
		case strings.Contains(example, "kind: ServiceAccount"):
			s.kubectl(t, "apply", "-f", file)
			s.cleanUp(t, "delete", "--ignore-not-found", "--wait=false", "-f", file)
		case strings.Contains(example, "kind: Pod"):
			s.kubectl(t, "apply", "--dry-run=server", "-f", file)
		}
	}
}

// skopeoPush logs in and pushes with skopeo.
func (s *suite) skopeoPush(t *testing.T, hub, image, token string, what v1.Image) {
	t.Helper()
	if _, err := exec.LookPath("skopeo"); errors.Is(err, exec.ErrNotFound) {
		if err := debian.Install(t.Context(), "skopeo"); err != nil {
			t.Fatal(err)
		}
	}
	dir, at := t.TempDir(), net.JoinHostPort(s.clusterIP(t, hub), "5000")
	archive, auth := filepath.Join(dir, "image.tar"), filepath.Join(dir, "auth.json")
	tag, err := name.NewTag(at + "/" + image)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "ca.crt"), []byte(s.bundle(t)), 0o600), tarball.WriteToFile(archive, tag, what)); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{
		{"login", "--authfile", auth, "--cert-dir", dir, "--username", "serviceaccount", "--password-stdin", at},
		{"--insecure-policy", "copy", "--authfile", auth, "--dest-cert-dir", dir, "docker-archive:" + archive, "docker://" + at + "/" + image},
	} {
		skopeo := exec.CommandContext(t.Context(), "skopeo", command...)
		skopeo.Stdin = strings.NewReader(token)
		if out, err := skopeo.CombinedOutput(); err != nil {
			t.Fatalf("skopeo %v: %v\n%s", command, err, out)
		}
	}
}

// cleanUp runs kubectl when the test ends.
func (s *suite) cleanUp(t *testing.T, args ...string) {
	t.Helper()
	t.Cleanup(func() {
		if _, err := s.bed.Kubectl(context.WithoutCancel(t.Context()), args...); err != nil {
			t.Error(err)
		}
	})
}
