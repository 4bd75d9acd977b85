package v1alpha1

import "testing"

func TestTheAgentsMetricsAddress(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]struct {
		port  int32
		valid bool
	}{
		"":                {0, true},
		":20255":          {20255, true},
		"0.0.0.0:20255":   {20255, true},
		"[::]:20255":      {20255, true},
		"10.0.0.1:20255":  {20255, true},
		"127.0.0.1:20255": {0, true},
		"[::1]:20255":     {0, true},
		"localhost:20255": {0, true},
		"20255":           {0, false},
		":0":              {0, false},
		":70000":          {0, false},
		":metrics":        {0, false},
		"node.example:80": {80, false},
	} {
		t.Run(address, func(t *testing.T) {
			t.Parallel()
			if err := validateMetricsAddress("nodeAgent.metricsAddress", address); (err == nil) != want.valid {
				t.Errorf("valid is %t: %v", want.valid, err)
			}
			if got := (NodeAgentConfiguration{MetricsAddress: address}).MetricsPort(); got != want.port {
				t.Errorf("the port is %d, want %d", got, want.port)
			}
		})
	}
}
