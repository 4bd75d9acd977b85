package proxies

import (
	"slices"
	"time"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
)

// believeAfter is how long a Pod must say of an upstream what it did not say before, until that is believed: an upstream that
// comes and goes all the time is none that comes and goes in a status.
const believeAfter = 30 * time.Second

// doubts are the upstreams of which a Pod says what is not believed yet, and since when it does.
type doubts map[string]time.Time

// believe makes of what a Pod says of its upstreams what is believed. What is believed of another configuration says
// nothing of this one: its upstreams may have the same names.
func (k known) believe(said configv1alpha1.ProxyReport, now time.Time) (configv1alpha1.ProxyReport, doubts) {
	if said.Figures == nil {
		return said, nil
	}
	said.Figures.Upstreams = said.Figures.Upstreams[:min(len(said.Figures.Upstreams), configv1alpha1.MaxReportedUpstreams)]
	if said.InForce != k.InForce || k.Figures == nil {
		return said, nil
	}
	open := doubts{}
	for i := range said.Figures.Upstreams {
		upstream := &said.Figures.Upstreams[i]
		believed := k.reachable(upstream.Name)
		if believed == nil || upstream.Reachable == nil || *believed == *upstream.Reachable {
			continue
		}
		since, doubted := k.doubts[upstream.Name]
		if !doubted {
			since = now
		}
		if now.Sub(since) < believeAfter {
			open[upstream.Name], upstream.Reachable = since, believed
		}
	}
	return said, open
}

// reachable is what is believed of an upstream; nil for nothing.
func (k known) reachable(upstream string) *bool {
	i := slices.IndexFunc(k.Figures.Upstreams, func(u configv1alpha1.UpstreamFigures) bool { return u.Name == upstream })
	if i < 0 {
		return nil
	}
	return k.Figures.Upstreams[i].Reachable
}
