package resources

import (
	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
)

// TagsConfiguration is what a proxy is told of how long tags are believed.
func TagsConfiguration(tags v1alpha1.TagsSpec) configv1alpha1.TagsConfiguration {
	configured := configv1alpha1.TagsConfiguration{RevalidateAfter: tags.RevalidateAfter, StaleIfError: tags.StaleIfError}
	for _, rule := range tags.Rules {
		configured.Rules = append(configured.Rules, configv1alpha1.TagRule{
			Match: rule.Match, Policy: configv1alpha1.TagPolicy(rule.Policy), RevalidateAfter: rule.RevalidateAfter,
		})
	}
	return configured
}

// RepositoriesConfiguration is what a proxy is told of which repositories it serves; nil is all of them.
func RepositoriesConfiguration(repositories *v1alpha1.RepositoriesSpec) configv1alpha1.RepositoriesConfiguration {
	if repositories == nil {
		return configv1alpha1.RepositoriesConfiguration{}
	}
	return configv1alpha1.RepositoriesConfiguration{Allow: repositories.Allow, Deny: repositories.Deny}
}
