package e2e

import (
	"testing"
	"time"
)

// TestAHubIsProvenOnAllNodesSoon prints how long that takes from `kubectl apply` on: a volume, a certificate, a Pod, its first
// answer to each node, and a canary on each.
func TestAHubIsProvenOnAllNodesSoon(t *testing.T) {
	s := shared
	began := time.Now()
	s.applyHub(t, "soon", "soon.e2e.test")
	s.awaitReady(t, "soon")
	t.Logf("from kubectl apply to all nodes proven wired: %s", time.Since(began).Round(100*time.Millisecond))
}
