package resources

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
)

// Upstreams are the registries that a hub asks, by name: those of its spec, or else one for each host. Those of a hub for any
// host are known when they are asked, and one that is pushed to has none.
func Upstreams(hub *v1alpha1.RegistryHub) []v1alpha1.UpstreamStatus {
	if hub.Spec.Mirror != nil && len(hub.Spec.Mirror.Upstreams) > 0 {
		return specifiedUpstreams(hub.Spec.Mirror.Upstreams)
	}
	if hub.Spec.StandsForAny() || hub.Spec.Local != nil {
		return nil
	}
	taken := map[string]bool{}
	upstreams := make([]v1alpha1.UpstreamStatus, 0, len(hub.Spec.Hosts))
	for _, host := range hub.Spec.Hosts {
		name := freeName(upstreamName(string(host)), taken)
		taken[name] = true
		upstreams = append(upstreams, v1alpha1.UpstreamStatus{Name: name, URL: configv1alpha1.DefaultUpstreamURL(string(host))})
	}
	return upstreams
}

// AllowedHosts are the patterns of hosts that a hub for any host may stand for; nil for other hubs.
func AllowedHosts(hub *v1alpha1.RegistryHub) []string {
	if hub.Spec.Mirror == nil {
		return nil
	}
	var patterns []string
	for _, pattern := range hub.Spec.Mirror.AllowedHosts {
		patterns = append(patterns, string(pattern))
	}
	slices.Sort(patterns) // a set in the spec: its order must not matter
	return patterns
}

func specifiedUpstreams(specified []v1alpha1.Upstream) []v1alpha1.UpstreamStatus {
	upstreams := make([]v1alpha1.UpstreamStatus, 0, len(specified))
	for _, upstream := range specified {
		upstreams = append(upstreams, v1alpha1.UpstreamStatus{Name: upstream.Name, URL: upstream.URL})
	}
	return upstreams
}

var notInLabels = regexp.MustCompile(`[^a-z0-9]+`)

// upstreamName makes a DNS label of a host: docker-io of docker.io.
func upstreamName(host string) string {
	const longest = 60 // leaves room for a number
	name := strings.Trim(notInLabels.ReplaceAllString(host, "-"), "-")
	return strings.TrimRight(name[:min(len(name), longest)], "-")
}

// freeName tells hosts apart whose labels come out alike, such as a.example and a-example.
func freeName(name string, taken map[string]bool) string {
	free := name
	for i := 2; taken[free]; i++ {
		free = fmt.Sprintf("%s-%d", name, i)
	}
	return free
}
