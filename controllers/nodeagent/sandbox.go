package nodeagent

import (
	"fmt"
	"slices"
	"time"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/controllers/nodeagent/doctor"
)

// sandbox knows the image that every Pod of the node begins with. The runtime reads it at its start alone, so it is looked
// for once for each.
type sandbox struct {
	look    func() doctor.Node
	started func() time.Time

	of    time.Time
	image string
}

// name of the image; "" while it has not been found out.
func (s *sandbox) name() string {
	if s == nil {
		return ""
	}
	started := s.started()
	if s.image != "" && started.Equal(s.of) {
		return s.image
	}
	if node := s.look(); node.Unknown == nil {
		s.image, s.of = node.Config.SandboxImage, started
	}
	return s.image
}

// declinedError says that a hub without fallback is wired with one. It reads the same for as long as that lasts.
type declinedError struct{ hub, host, image string }

// Error says what to do about it.
func (e *declinedError) Error() string {
	return fmt.Sprintf("fallback None of hub %s is refused on this node: every Pod here begins with the image %s, which comes from %s, so that no hub could "+
		"be started without one. Pulls go to the upstream while the hub does not answer: configure another sandbox image in containerd, or give %s a hub with fallback Upstream",
		e.hub, e.image, e.host, e.host)
}

// decline gives hubs a fallback that the image of the node's sandboxes comes from, and says which.
func (s *sandbox) decline(configuration *configv1alpha1.NodeConfiguration) (*configv1alpha1.NodeConfiguration, []*declinedError) {
	if !slices.ContainsFunc(configuration.Hubs, configv1alpha1.NodeHub.Stays) {
		return configuration, nil
	}
	image := s.name()
	if image == "" {
		return configuration, nil
	}
	host := configv1alpha1.ImageHost(image)
	changed := *configuration
	changed.Hubs = slices.Clone(configuration.Hubs)
	var declined []*declinedError
	for i := range changed.Hubs {
		if hub := &changed.Hubs[i]; hub.Stays() && slices.Contains(hub.Hosts, host) {
			hub.Fallback = configv1alpha1.NodeFallbackUpstream
			declined = append(declined, &declinedError{hub: hub.Name, host: host, image: image})
		}
	}
	return &changed, declined
}

// declined are the hosts of those hubs that this node has.
func (w wiring) declined(all []*declinedError) map[string]error {
	hosts := map[string]error{}
	for _, declined := range all {
		if w.hubs[declined.host] == declined.hub {
			hosts[declined.host] = declined
		}
	}
	return hosts
}
