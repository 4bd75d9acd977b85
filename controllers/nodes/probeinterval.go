package nodes

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
)

const (
	// shortestProbeInterval is the default of a NodeConfiguration, and what nodesAtShortest nodes have: a hub that they
	// all ask is asked about a thousand times a second, which is 41 % of one processor over TLS.
	shortestProbeInterval = 2 * time.Second
	nodesAtShortest       = 2048
	// longestProbeInterval is for more nodes than Kubernetes supports.
	longestProbeInterval = 16 * time.Second
)

// probeInterval is how often so many nodes ask each hub, when it was present before: it doubles with the number of nodes
// above nodesAtShortest, and halves again when there are well fewer, so that one node more or less does not change what
// all nodes read. Nil is the default.
func probeInterval(present *metav1.Duration, nodes int) *metav1.Duration {
	wanted := shortestProbeInterval
	for wanted < longestProbeInterval && nodes > nodesAt(wanted) {
		wanted *= 2
	}
	if present != nil && present.Duration == 2*wanted && nodes > nodesAt(wanted)*3/4 {
		wanted = present.Duration
	}
	if wanted == shortestProbeInterval {
		return nil
	}
	return &metav1.Duration{Duration: wanted}
}

func nodesAt(interval time.Duration) int {
	return nodesAtShortest * int(interval/shortestProbeInterval)
}

func sameProbeInterval(a, b *configv1alpha1.NodeConfiguration) bool {
	return probeIntervalOf(a) == probeIntervalOf(b)
}

func probeIntervalOf(c *configv1alpha1.NodeConfiguration) time.Duration {
	if c.ProbeInterval == nil {
		return shortestProbeInterval
	}
	return c.ProbeInterval.Duration
}
