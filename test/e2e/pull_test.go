package e2e

import (
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/registryhub/registryhub/hack/testbed"
)

func TestPodsPullThroughTheHub(t *testing.T) {
	s := shared
	const host = "pull.e2e.test"
	image := s.images.push(t, "team/app", "v1")
	s.applyHub(t, "pull", host)
	s.awaitReady(t, "pull")
	first, second := s.bed.Nodes[0], s.bed.Nodes[1]

	t.Run("the first node pulls through the hub alone", func(t *testing.T) {
		s.upstream.Forget()
		s.runPod(t, "pull-first", first, host+"/team/app:v1")
		if own := fromNodes(s.upstream.Requests()); len(own) > 0 {
			t.Errorf("the node asked the upstream by itself: %+v", own)
		}
		for digest, count := range blobRequests(s.upstream.Requests()) {
			if count != 1 {
				t.Errorf("blob %s was fetched %d times, want once", digest, count)
			}
		}
		s.mustKeep(t, image)
	})
	t.Run("the second node pulls from the cache", func(t *testing.T) {
		s.upstream.Forget()
		s.runPod(t, "pull-second", second, host+"/team/app:v1")
		if again := blobRequests(s.upstream.Requests()); len(again) > 0 {
			t.Errorf("blobs were fetched again: %v", again)
		}
		if own := fromNodes(s.upstream.Requests()); len(own) > 0 {
			t.Errorf("the node asked the upstream by itself: %+v", own)
		}
	})
	t.Run("a cached image is pulled while the upstream is gone", func(t *testing.T) {
		s.forgetImage(t, second, host+"/team/app:v1", image)
		s.stopUpstream(t)
		s.runPod(t, "pull-third", second, host+"/team/app:v1")
	})
	t.Run("the hub's metrics show the pulls", func(t *testing.T) { s.mustCountPulls(t, "pull") })
}

// stopUpstream makes the upstream refuse connections until the test ends.
func (s *suite) stopUpstream(t *testing.T) {
	t.Helper()
	if err := s.upstream.Down(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.upstream.Up(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// mustKeep checks that the image's own layers lie on a hub's volume.
func (s *suite) mustKeep(t *testing.T, image v1.Image) {
	t.Helper()
	for _, digest := range ownLayers(t, image) {
		if !s.onAVolume(t, digest) {
			t.Errorf("layer %s is on no hub's volume", digest)
		}
	}
}

func (s *suite) onAVolume(t *testing.T, digest string) bool {
	t.Helper()
	for _, node := range s.bed.Nodes {
		if strings.TrimSpace(s.find(t, node, digest)) != "" {
			return true
		}
	}
	return false
}

// find finds an object, and not the links to it. On a node that no volume was ever on it finds nothing: there is no directory
// for them.
func (s *suite) find(t *testing.T, node testbed.Node, digest string) string {
	t.Helper()
	const ifThere = `if [ -d "$1" ]; then find "$1" -path "*/blobs/*$2" -size +0; fi`
	out, err := s.bed.Node(t.Context(), node.Name, "sh", "-c", ifThere, "find", node.Volumes(), digest)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (s *suite) mustCountPulls(t *testing.T, hub string) {
	t.Helper()
	pod := strings.TrimSpace(s.kubectl(t, "-n", testbed.Namespace, "get", "pods", "-l", "registryhub.io/hub="+hub, "-o", "jsonpath={.items[0].metadata.name}"))
	metrics := s.kubectl(t, "get", "--raw", "/api/v1/namespaces/"+testbed.Namespace+"/pods/"+pod+":8080/proxy/metrics")
	for _, want := range []string{"registryhub_proxy_requests_total", "registryhub_proxy_upstream_received_bytes_total"} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the hub's metrics lack %s:\n%s", want, metrics)
		}
	}
}
