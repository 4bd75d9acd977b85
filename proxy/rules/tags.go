package rules

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"time"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
)

// Belief is how long what was last heard is believed without asking again.
type Belief time.Duration

// Forever never asks again.
const Forever = Belief(math.MaxInt64)

// Holds reports whether what was heard that long ago is still believed. A negative age, of a clock that was set back,
// proves nothing.
func (b Belief) Holds(age time.Duration) bool {
	return b == Forever || (age >= 0 && age < time.Duration(b))
}

// HoldsInTrouble reports whether it is believed when nobody can be asked, for that much longer than otherwise.
func (b Belief) HoldsInTrouble(age, staleIfError time.Duration) bool {
	return b.Holds(age) || age-time.Duration(b) < staleIfError
}

// Tags are compiled rules of how long tags are believed. They are immutable, and safe for concurrent use.
type Tags struct {
	rules     []tagRule
	otherwise Belief
}

type tagRule struct {
	match  *regexp.Regexp
	belief Belief
}

// CompileTags compiles the rules, in order. Defaults must be filled in. The error names every rule that is wrong.
func CompileTags(configured config.TagsConfiguration) (*Tags, error) {
	t := &Tags{otherwise: Belief(configured.RevalidateAfter.Duration)}
	var errs []error
	for i, c := range configured.Rules {
		match, err := c.Compile(fmt.Sprintf("tags.rules[%d]", i))
		t.rules, errs = append(t.rules, tagRule{match: match, belief: t.beliefOf(c)}), append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("compiling the rules of tags: %w", err)
	}
	return t, nil
}

func (t *Tags) beliefOf(c config.TagRule) Belief {
	switch {
	case c.Policy == config.TagPolicyAlways:
		return 0
	case c.Policy == config.TagPolicyFrozen:
		return Forever
	case c.RevalidateAfter != nil:
		return Belief(c.RevalidateAfter.Duration)
	default:
		return t.otherwise
	}
}

// Belief is that of the first rule that matches the whole of "<repository>:<tag>", the repository as the client names
// it, or else of the tags as a whole.
func (t *Tags) Belief(repository, tag string) Belief {
	if len(t.rules) == 0 {
		return t.otherwise
	}
	name := repository + ":" + tag
	for _, rule := range t.rules {
		if rule.match.MatchString(name) {
			return rule.belief
		}
	}
	return t.otherwise
}

// Otherwise is the belief of what is no tag, such as a list.
func (t *Tags) Otherwise() Belief { return t.otherwise }
