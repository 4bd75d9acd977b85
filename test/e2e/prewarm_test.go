package e2e

import (
	"context"
	"strings"
	"testing"

	"github.com/registryhub/registryhub/hack/testbed"
)

// TestAnImageThatWasPulledAheadNeedsNoUpstream: the hub has it before any node asks, says how far it is, and gives it to a node
// that never had it while the upstream is away.
func TestAnImageThatWasPulledAheadNeedsNoUpstream(t *testing.T) {
	s := shared
	const host, hub = "ahead.e2e.test", "ahead"
	const one, two, none = host + "/team/ahead:v1", host + "/team/ahead:v2", host + "/team/ahead:none"
	first, second := s.images.push(t, "team/ahead", "v1"), s.images.push(t, "team/ahead", "v2")
	s.upstream.Forget()
	s.applyManifest(t, pullingAhead(one, none), hub, host)
	s.awaitPulledAhead(t, hub, "1/2", none)
	s.applyManifest(t, pullingAhead(one, two), hub, host)
	s.awaitPulledAhead(t, hub, "2/2", "")
	s.awaitReady(t, hub)
	s.mustKeep(t, first)
	s.mustKeep(t, second)
	for digest, count := range blobRequests(s.upstream.Requests()) {
		if count != 1 {
			t.Errorf("blob %s was fetched %d times, want once", digest, count)
		}
	}
	s.mustHaveAskedTheHubAlone(t)

	s.stopUpstream(t)
	for i, reference := range []string{one, two} {
		s.runPod(t, "ahead", s.bed.Nodes[i], reference)
	}
}

// pullingAhead is the manifest of a hub that pulls images ahead.
func pullingAhead(images ...string) string {
	return strings.Replace(testbed.HubManifest, "  storage:", "    prewarm: {images: ['"+strings.Join(images, "', '")+"']}\n  storage:", 1)
}

// awaitPulledAhead waits until a hub says that so many of its images are there, and which one cannot be pulled.
func (s *suite) awaitPulledAhead(t *testing.T, hub, summary, failing string) {
	t.Helper()
	s.await(t, "hub "+hub+" to have "+summary+" of its images", func(ctx context.Context) (bool, error) {
		seen, err := s.hub(ctx, hub)
		if err != nil || seen.Status.Prewarm == nil {
			return false, err
		}
		var failed []string
		for _, one := range seen.Status.Prewarm.Failing {
			failed = append(failed, one.Image)
		}
		return seen.Status.Prewarm.Summary == summary && strings.Join(failed, " ") == failing, nil
	})
}
