package e2e

import (
	"strings"
	"testing"
)

// kubeadm asks a custom repository for <repository>/coredns, where registry.k8s.io has coredns/coredns
// (kubeadm#2714): the built-in rule finds it.
func TestCorednsIsFoundUnderItsDoubledName(t *testing.T) {
	s := shared
	const host = "registry.k8s.io"
	s.images.push(t, "coredns/coredns", "v1.12.0")
	s.applyHub(t, "k8s", host)
	s.awaitReady(t, "k8s")
	s.upstream.Forget()
	s.runPod(t, "coredns", s.bed.Nodes[0], host+"/coredns:v1.12.0")

	requests := s.upstream.Requests()
	if own := fromNodes(requests); len(own) > 0 {
		t.Errorf("the node asked the upstream by itself: %+v", own)
	}
	blobs := 0
	for _, request := range requests {
		if strings.Contains(request.Path, "/blobs/") {
			blobs++
			if !strings.HasPrefix(request.Path, "/v2/coredns/coredns/") {
				t.Errorf("a blob was asked for under the name that does not exist: %s", request.Path)
			}
		}
	}
	if blobs == 0 {
		t.Error("no blob was fetched from the upstream")
	}
}
