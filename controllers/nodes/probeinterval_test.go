package nodes_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/controllers/nodes"
)

func TestTheProbeIntervalGrowsWithTheNodes(t *testing.T) {
	t.Parallel()
	const s = time.Second
	for sentence, tc := range map[string]struct {
		present time.Duration
		nodes   int
		want    time.Duration // 0: the default, with nothing written
	}{
		"few nodes":                                  {0, 3, 0},
		"few nodes, and the default filled in":       {2 * s, 3, 0},
		"as many as ask so often":                    {2 * s, 2048, 0},
		"one more":                                   {2 * s, 2049, 4 * s},
		"one less again changes nothing":             {4 * s, 2048, 4 * s},
		"a quarter less does":                        {4 * s, 1536, 0},
		"as many as Kubernetes supports":             {4 * s, 5000, 8 * s},
		"more than that":                             {8 * s, 100_000, 16 * s},
		"nearly all are gone":                        {16 * s, 3, 0},
		"what somebody else wrote is not held on to": {17 * s, 3, 0},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			present := configuration(5)
			if tc.present != 0 {
				present.ProbeInterval = &metav1.Duration{Duration: tc.present}
			}
			got := nodes.NextConfiguration(present, 5, nil, nil, nil, tc.nodes, "")
			changed := max(tc.want, 2*s) != max(tc.present, 2*s)
			if (got != present) != changed || (got.Revision == 6) != changed {
				t.Errorf("revision %d, want a change %v", got.Revision, changed)
			}
			if changed && interval(got) != tc.want {
				t.Errorf("interval %s, want %s", interval(got), tc.want)
			}
		})
	}
}

func interval(c *configv1alpha1.NodeConfiguration) time.Duration {
	if c.ProbeInterval == nil {
		return 0
	}
	return c.ProbeInterval.Duration
}
