package v1alpha1

import (
	"errors"
	"fmt"
	"regexp"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TagPolicy says how long what a tag names is believed.
type TagPolicy string

// The policies of tags.
const (
	// TagPolicyAlways asks the upstream for every request, which all who wait share.
	TagPolicyAlways TagPolicy = "Always"
	// TagPolicyTTL asks again after revalidateAfter.
	TagPolicyTTL TagPolicy = "TTL"
	// TagPolicyFrozen never asks again once the tag is known and its manifest is there.
	TagPolicyFrozen TagPolicy = "Frozen"
)

// TagRule gives tags a policy of their own. The rule is documented at RegistryHub's spec.mirror.tags.rules.
type TagRule struct {
	// Match is an RE2 expression for the whole of "<repository>:<tag>", the repository as the client names it, without
	// the host: library/debian:12.
	Match string `json:"match"`
	// Policy is Always, TTL or Frozen.
	Policy TagPolicy `json:"policy"`
	// RevalidateAfter is for TTL alone. Default: that of the tags as a whole.
	RevalidateAfter *metav1.Duration `json:"revalidateAfter,omitempty"`
}

// Compile validates the rule and returns the expression that matches a whole "<repository>:<tag>". field is the rule's
// own path, which the errors begin with.
func (r TagRule) Compile(field string) (*regexp.Regexp, error) {
	match, err := anchored(r.Match)
	if err != nil {
		err = fmt.Errorf("%s.match: %q is not a regular expression of RE2: %w", field, r.Match, err)
	}
	return match, errors.Join(err, r.validatePolicy(field))
}

func (r TagRule) validatePolicy(field string) error {
	switch r.Policy {
	case TagPolicyTTL:
		return validateNotNegative(field+".revalidateAfter", r.RevalidateAfter)
	case TagPolicyAlways, TagPolicyFrozen:
		if r.RevalidateAfter != nil {
			return fmt.Errorf("%s.revalidateAfter: is for policy TTL alone: leave it out beside %s", field, r.Policy)
		}
		return nil
	default:
		return fmt.Errorf("%s.policy: %q is not one of Always, TTL, Frozen", field, r.Policy)
	}
}

// Validate says what is wrong with the tags' settings; field is their own path, which the errors begin with.
func (t TagsConfiguration) Validate(field string) error {
	errs := []error{
		validateNotNegative(field+".revalidateAfter", t.RevalidateAfter),
		validateNotNegative(field+".staleIfError", t.StaleIfError),
	}
	for i, rule := range t.Rules {
		_, err := rule.Compile(fmt.Sprintf("%s.rules[%d]", field, i))
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
