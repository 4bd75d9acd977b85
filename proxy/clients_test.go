package proxy

import (
	"testing"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy/metrics"
)

// Each has less time the more there are, so that all have had their turn before the client gives up.
func TestAnUpstreamAmongMoreIsAskedByAClientThatWaitsForLess(t *testing.T) {
	first := config.UpstreamConfiguration{Name: "one", URL: "https://one.example"}
	second := config.UpstreamConfiguration{Name: "two", URL: "https://two.example"}
	told := newObserver("hub", logr.Discard(), metrics.New(prometheus.NewRegistry()))
	among := func(existing clients, upstreams ...config.UpstreamConfiguration) clients {
		made := clients{}
		t.Cleanup(func() { made.closeBut(nil) })
		if _, err := made.hosts([]config.MirrorHost{{Host: "a.example", Upstreams: upstreams}}, existing, told); err != nil {
			t.Fatal(err)
		}
		return made
	}
	alone := among(nil, first)
	again, both := among(alone, first), among(alone, first, second)
	one, two := asked{first, timeoutsAmong(1)}, asked{first, timeoutsAmong(2)}
	if again[one] == nil || again[one] != alone[one] {
		t.Error("among as many as before it has another client")
	}
	if both[two] == nil || both[two] == alone[one] {
		t.Error("among more than before it has the client of before")
	}
}
