package proxy

import (
	"testing"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy/metrics"
	"github.com/registryhub/registryhub/proxy/upstream"
)

// A request that was under way when its upstream went has an answer afterwards.
func TestWhatIsToldOfAnUpstreamThatIsGoneMakesNoFigures(t *testing.T) {
	registry := prometheus.NewRegistry()
	o := newObserver("hub", logr.Discard(), metrics.New(registry))
	one, err := upstream.New(config.UpstreamConfiguration{Name: "one", URL: "https://one.example"}, upstream.Timeouts{}, o)
	if err != nil {
		t.Fatal(err)
	}
	defer one.Close()
	count := func(want int) {
		t.Helper()
		n, err := testutil.GatherAndCount(registry, "registryhub_proxy_upstream_up", "registryhub_proxy_upstream_ratelimit_limit", "registryhub_proxy_upstream_ratelimit_remaining")
		if err != nil || n != want {
			t.Errorf("there are %d series (%v), want %d", n, err, want)
		}
	}
	o.follow(clients{{}: one})
	one.Announce()
	o.UpstreamRateLimit("one", 100, 7)
	count(3)
	o.follow(nil)
	count(0)
	o.UpstreamUp("one", false)
	o.UpstreamRateLimit("one", 100, 6)
	count(0)
}
