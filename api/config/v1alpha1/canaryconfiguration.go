package v1alpha1

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// CanaryConfiguration says how nodes prove that their runtimes pull through the hubs.
type CanaryConfiguration struct {
	// Enabled has each node's agent ask the runtime to pull a canary from each host of each hub. For that it has the
	// runtime's socket, which is as good as being root on the node. Without it hubs are wired, and say that this is
	// unproven. Default: true.
	Enabled *bool `json:"enabled,omitempty"`

	// Interval is how long a proof is believed. A pull costs a node and a hub 1.5 KiB and some ten milliseconds for each
	// host. From 1m to 24h. Default: 1h.
	Interval *metav1.Duration `json:"interval,omitempty"`
}

const shortestCanaryInterval, longestCanaryInterval = time.Minute, 24 * time.Hour

func (c *CanaryConfiguration) setDefaults() {
	if c.Enabled == nil {
		c.Enabled = new(true)
	}
	setDefaultDuration(&c.Interval, time.Hour)
}

func (c *CanaryConfiguration) validate(field string) error {
	if i := c.Interval; i != nil && (i.Duration < shortestCanaryInterval || i.Duration > longestCanaryInterval) {
		return fmt.Errorf("%s.interval: %s is not from %s to %s: turn canaries off with enabled: false", field, i.Duration, shortestCanaryInterval, longestCanaryInterval)
	}
	return nil
}
