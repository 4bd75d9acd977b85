package resources

import (
	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
)

// PrewarmConfiguration is what a hub pulls ahead; nil for nothing. It has no platforms where the hub names none.
func PrewarmConfiguration(mirror *v1alpha1.MirrorSpec) *configv1alpha1.PrewarmConfiguration {
	if mirror.Prewarm == nil {
		return nil
	}
	configuration := &configv1alpha1.PrewarmConfiguration{Every: mirror.Prewarm.Every}
	for _, image := range mirror.Prewarm.Images {
		configuration.Images = append(configuration.Images, string(image))
	}
	for _, platform := range mirror.Prewarm.Platforms {
		configuration.Platforms = append(configuration.Platforms, string(platform))
	}
	return configuration
}
