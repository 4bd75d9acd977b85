package e2e

import (
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// TestPullsGoOnWhileTheSchemeChanges lets both nodes pull all the time, while a hub goes over to plain HTTP and back: none of
// the pulls may fail, or have gone past the hub, and no Pod may be made anew for it.
func TestPullsGoOnWhileTheSchemeChanges(t *testing.T) {
	s := shared
	const host, hub = "scheme.e2e.test", "scheme"
	s.configureOperator(t, "endpointOverlap: 10s")
	image := s.images.push(t, "team/scheme", "v1")
	s.applyHub(t, hub, host, overTLS)
	s.awaitReady(t, hub)
	before := s.proxyPod(t, hub)
	s.upstream.Forget()
	for _, scheme := range []string{"HTTP", "HTTPS"} {
		s.kubectl(t, "patch", "registryhub", hub, "--type=merge", "-p", `{"spec":{"endpoint":{"scheme":"`+scheme+`"}}}`)
		s.pullUntilMoved(t, hub, host+"/team/scheme:v1", image, strings.ToLower(scheme)+"://")
		s.awaitReady(t, hub)
		for _, node := range s.bed.Nodes {
			s.mustName(t, node, host, `[host."`+strings.ToLower(scheme)+`://`)
		}
	}
	s.mustHaveAskedTheHubAlone(t)
	if after := s.proxyPod(t, hub); after.UID != before.UID || after.Status.ContainerStatuses[0].RestartCount != 0 {
		t.Errorf("the Pod was replaced or restarted: %s, then %s", before.UID, after.UID)
	}
}

// pullUntilMoved pulls on each node, again and again, until the hub is led to at a URL that begins so and nothing else is
// served any more, and once more.
func (s *suite) pullUntilMoved(t *testing.T, hub, reference string, image v1.Image, prefix string) {
	t.Helper()
	began, pulls, overlapped := time.Now(), 0, false
	for over := false; ; {
		for _, node := range s.bed.Nodes {
			s.runPod(t, hub, node, reference)
			s.forgetImage(t, node, reference, image)
			pulls++
		}
		if over {
			break
		}
		seen, err := s.hub(t.Context(), hub)
		if err != nil {
			t.Fatal(err)
		}
		former := seen.Status.FormerEndpoint
		overlapped = overlapped || former != nil
		over = overlapped && former == nil && strings.HasPrefix(seen.Status.Endpoint, prefix)
		if time.Since(began) > 5*time.Minute {
			t.Fatalf("the hub has not moved after %s: %+v\n%s", time.Since(began), seen.Status, s.scene(t))
		}
	}
	t.Logf("%d pulls in the %s that it took to move to %s", pulls, time.Since(began).Round(time.Second), prefix)
}
