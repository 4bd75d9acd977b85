package registryhub

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/registryhub/registryhub/api/v1alpha1"
)

// trouble is what it means that a hub's storage takes nothing new: a mirror has upstreams beside it, a registry has not.
type trouble struct{ mirror, registry string }

var troubles = map[string]trouble{
	v1alpha1.ReasonVolumeNotWritable: {
		mirror:   "the cache's volume cannot be written: what it holds is served, the rest streams through uncached",
		registry: "the registry's volume cannot be written: what it holds is served, and pushes are refused",
	},
	v1alpha1.ReasonVolumeFull: {
		mirror:   "the cache's volume has no room that evicting makes: what it holds is served, the rest streams through uncached",
		registry: "the registry's volume has no room: what it holds is served, and pushes are refused",
	},
	v1alpha1.ReasonBucketNotReachable: {
		mirror:   "the cache's bucket cannot be reached or written: pulls stream through uncached",
		registry: "the registry's bucket cannot be reached or written: pushes are refused, and pulls are too where it cannot be read",
	},
	v1alpha1.ReasonBucketFull: {
		mirror:   "the cache's bucket has no room that evicting makes: what it holds is served, the rest streams through uncached",
		registry: "the registry's bucket has no room: what it holds is served, and pushes are refused",
	},
}

// inTrouble says for one of these reasons that the hub's storage takes nothing new.
func (s *scope) inTrouble(reason string) metav1.Condition {
	if s.hub.Spec.Mode == v1alpha1.HubModeLocal {
		return noStorage(reason, troubles[reason].registry)
	}
	return noStorage(reason, troubles[reason].mirror)
}
