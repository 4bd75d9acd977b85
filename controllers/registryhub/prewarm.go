package registryhub

import (
	"fmt"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/nodes"
)

// choosePlatforms has those of the hub's nodes pulled ahead, where the hub names none.
func (s *scope) choosePlatforms(mirror *configv1alpha1.MirrorConfiguration) {
	if mirror != nil && mirror.Prewarm != nil && len(mirror.Prewarm.Platforms) == 0 {
		mirror.Prewarm.Platforms = nodes.Platforms(s.snapshot, s.hub)
	}
}

// prewarmStatus is how far the Pod that is furthest is: what one has pulled to a volume all have. While no Pod has said,
// what was said before stands.
func prewarmStatus(s *scope) *v1alpha1.PrewarmStatus {
	if s.hub.Spec.Mirror == nil || s.hub.Spec.Mirror.Prewarm == nil {
		return nil
	}
	status := s.hub.Status.Prewarm.DeepCopy()
	first := true
	for _, report := range s.reports {
		said := report.Prewarm
		if said == nil || !first && said.Warm <= status.Warm {
			continue
		}
		first = false
		status = &v1alpha1.PrewarmStatus{Images: said.Images, Warm: said.Warm, Summary: fmt.Sprintf("%d/%d", said.Warm, said.Images)}
		for _, failure := range said.Failing {
			status.Failing = append(status.Failing, v1alpha1.PrewarmFailure{Image: failure.Image, Message: failure.Message})
		}
	}
	return status
}
