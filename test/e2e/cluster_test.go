package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/hack/testbed"
	"github.com/registryhub/registryhub/hack/upstream"
)

// caBundle is the ConfigMap that hubs trust the upstream by.
const caBundle = "e2e-ca"

// patience is how long a condition may take on a slow machine.
const patience = 3 * time.Minute

func (s *suite) kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := s.bed.Kubectl(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (s *suite) await(t *testing.T, what string, condition func(context.Context) (bool, error)) {
	t.Helper()
	if err := s.bed.Await(t.Context(), patience, what, condition); err != nil {
		t.Fatalf("%v\n%s", err, s.scene(t))
	}
}

// scene is what a person would look at when something is not as it should be.
func (s *suite) scene(t *testing.T) string {
	t.Helper()
	seen, err := s.bed.Kubectl(context.WithoutCancel(t.Context()), "get", "registryhubs,nodemirrors,pods,pvc", "-A", "-o", "wide")
	if err != nil {
		return err.Error()
	}
	events, err := s.bed.Kubectl(context.WithoutCancel(t.Context()), "get", "events", "-A", "--sort-by=.lastTimestamp")
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(events, "\n")
	return seen + strings.Join(lines[max(0, len(lines)-30):], "\n")
}

// applyHub applies a hub for a host, with extra lines in its spec, and removes it when the test ends.
func (s *suite) applyHub(t *testing.T, name, host string, extra ...string) {
	t.Helper()
	s.applyManifest(t, testbed.HubManifest, name, host, extra...)
}

// applyManifest does the same with another manifest, a format of the hub's name, twice its host, and the CA's name.
func (s *suite) applyManifest(t *testing.T, format, name, host string, extra ...string) {
	t.Helper()
	manifest := fmt.Sprintf(format, name, host, host, caBundle) + strings.Join(extra, "\n")
	if err := s.bed.Apply(t.Context(), manifest); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		if s.uninstalled {
			return
		}
		if _, err := s.bed.Kubectl(ctx, "delete", "registryhub", name, "--ignore-not-found", "--timeout=2m"); err != nil {
			t.Errorf("removing the hub: %v\n%s", err, s.scene(t))
		}
	})
}

func (s *suite) awaitReady(t *testing.T, hub string) {
	t.Helper()
	s.await(t, "hub "+hub+" to be Ready with all nodes wired", func(ctx context.Context) (bool, error) {
		seen, err := s.hub(ctx, hub)
		if err != nil {
			return false, err
		}
		wired := seen.Status.Nodes != nil && seen.Status.Nodes.Summary == fmt.Sprintf("%d/%d", len(s.bed.Nodes), len(s.bed.Nodes))
		return wired && condition(seen, v1alpha1.ConditionReady).Status == "True", nil
	})
}

func (s *suite) hub(ctx context.Context, name string) (*v1alpha1.RegistryHub, error) {
	out, err := s.bed.Kubectl(ctx, "get", "registryhub", name, "-o", "json")
	if err != nil {
		return nil, err
	}
	hub := &v1alpha1.RegistryHub{}
	return hub, json.Unmarshal([]byte(out), hub)
}

// runPod runs an image on a node, waits until it runs, and removes the Pod.
func (s *suite) runPod(t *testing.T, name string, node testbed.Node, image string) {
	t.Helper()
	if err := s.bed.Apply(t.Context(), fmt.Sprintf(podManifest, name, node.Name, image)); err != nil {
		t.Fatal(err)
	}
	s.await(t, "Pod "+name+" to run on "+node.Name, func(ctx context.Context) (bool, error) {
		out, err := s.bed.Kubectl(ctx, "get", "pod", name, "-o", `jsonpath={.status.conditions[?(@.type=="Ready")].status}`)
		return out == "True", err
	})
	s.kubectl(t, "delete", "pod", name, "--now")
}

// forgetImage removes an image and its layers from a node.
func (s *suite) forgetImage(t *testing.T, node testbed.Node, reference string, image v1.Image) {
	t.Helper()
	if err := s.bed.ForgetImage(t.Context(), node.Name, reference, image); err != nil {
		t.Fatal(err)
	}
}

// hostsFile is what containerd on a node reads for a registry host; it is empty when there is none.
func (s *suite) hostsFile(ctx context.Context, node testbed.Node, host string) (string, error) {
	out, err := s.bed.Node(ctx, node.Name, "sh", "-c", fmt.Sprintf("cat %s/%s/hosts.toml 2>/dev/null || true", node.CertsDir, host))
	return out, err
}

// entries are the directories that containerd on a node would look up.
func (s *suite) entries(t *testing.T, node testbed.Node) string {
	t.Helper()
	out, err := s.bed.Node(t.Context(), node.Name, "ls", "-A", node.CertsDir)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// blobRequests counts the GETs of each blob, by the last part of the digest's path.
func blobRequests(requests []upstream.Request) map[string]int {
	counts := map[string]int{}
	for _, request := range requests {
		if _, digest, found := strings.Cut(request.Path, "/blobs/sha256:"); found && request.Method == http.MethodGet {
			counts[digest]++
		}
	}
	return counts
}

func fromNodes(requests []upstream.Request) []upstream.Request {
	var own []upstream.Request
	for _, request := range requests {
		if request.FromNode() {
			own = append(own, request)
		}
	}
	return own
}

const podManifest = `apiVersion: v1
kind: Pod
metadata: {name: %s}
spec:
  nodeName: %s
  terminationGracePeriodSeconds: 0
  automountServiceAccountToken: false
  containers:
  - {name: main, image: %q, imagePullPolicy: Always}
`
