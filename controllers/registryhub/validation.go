package registryhub

import (
	"context"
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/resources"
)

// validate checks what the API server cannot: that expressions compile and selectors mean something. The errors
// name the fields of the spec.
func (r *Reconciler) validate(_ context.Context, s *scope) error {
	if err := errors.Join(specErrors(s.hub)...); err != nil {
		return &invalidSpecError{err: err}
	}
	return nil
}

func specErrors(hub *v1alpha1.RegistryHub) []error {
	var errs []error
	for i, host := range hub.Spec.Hosts {
		if host != v1alpha1.AnyHost {
			errs = append(errs, configv1alpha1.ValidateHost(fmt.Sprintf("spec.hosts[%d]", i), string(host)))
		}
	}
	if _, err := metav1.LabelSelectorAsSelector(hub.Spec.Nodes.Selector); err != nil {
		errs = append(errs, fmt.Errorf("spec.nodes.selector: %w", err))
	}
	if mirror := hub.Spec.Mirror; mirror != nil {
		errs = append(errs, mirrorErrors(mirror)...)
		errs = append(errs, prewarmErrors(hub))
	}
	if hub.Spec.Local != nil {
		_, err := resources.LocalConfiguration(hub).CompileImmutableTags("spec.local.immutableTags")
		errs = append(errs, err)
	}
	return errs
}

func prewarmErrors(hub *v1alpha1.RegistryHub) error {
	prewarm := resources.PrewarmConfiguration(hub.Spec.Mirror)
	if prewarm == nil {
		return nil
	}
	hosts := make([]string, 0, len(hub.Spec.Hosts))
	for _, host := range hub.Spec.Hosts {
		hosts = append(hosts, string(host))
	}
	return prewarm.Validate("spec.mirror.prewarm", hosts)
}

func mirrorErrors(mirror *v1alpha1.MirrorSpec) []error {
	var errs []error
	for i, pattern := range mirror.AllowedHosts {
		errs = append(errs, configv1alpha1.ValidateHostPattern(fmt.Sprintf("spec.mirror.allowedHosts[%d]", i), string(pattern)))
	}
	for i, upstream := range mirror.Upstreams {
		field := fmt.Sprintf("spec.mirror.upstreams[%d].url", i)
		errs = append(errs, configv1alpha1.ValidateUpstreamURL(field, upstream.URL))
	}
	for i, rule := range mirror.FallbackRules {
		configured := configv1alpha1.FallbackRule{Name: rule.Name, OnStatus: rule.OnStatus, Match: rule.Match, Rewrite: rule.Rewrite}
		errs = append(errs, configured.Validate(fmt.Sprintf("spec.mirror.fallbackRules[%d]", i)))
	}
	return append(errs,
		resources.TagsConfiguration(mirror.Tags).Validate("spec.mirror.tags"),
		resources.RepositoriesConfiguration(mirror.Repositories).Validate("spec.mirror.repositories"))
}
