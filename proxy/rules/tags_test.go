package rules

import (
	"math"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
)

func TestBeliefIsThatOfTheFirstRuleThatMatchesTheWhole(t *testing.T) {
	second := &metav1.Duration{Duration: time.Second}
	compiled, err := CompileTags(config.TagsConfiguration{
		RevalidateAfter: &metav1.Duration{Duration: 5 * time.Minute},
		Rules: []config.TagRule{
			{Match: `team/app:1`, Policy: config.TagPolicyFrozen},
			{Match: `team/.*:1|other:2`, Policy: config.TagPolicyAlways},
			{Match: `team/.*:.*`, Policy: config.TagPolicyTTL, RevalidateAfter: second},
			{Match: `lib/.*:.*`, Policy: config.TagPolicyTTL},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		repository, tag string
		want            Belief
	}{
		"the first of three that match":       {"team/app", "1", Forever},
		"the second":                          {"team/web", "1", 0},
		"an alternative":                      {"other", "2", 0},
		"no alternative matches a part":       {"another", "2", Belief(5 * time.Minute)},
		"a time of its own":                   {"team/app", "10", Belief(time.Second)},
		"TTL without a time is the tags' own": {"lib/x", "1", Belief(5 * time.Minute)},
		"none":                                {"x", "1", Belief(5 * time.Minute)},
		"the host is no part of the name":     {"docker.io/other", "2", Belief(5 * time.Minute)},
	}
	for name, tc := range tests {
		if got := compiled.Belief(tc.repository, tc.tag); got != tc.want {
			t.Errorf("%s: got %s, want %s", name, time.Duration(got), time.Duration(tc.want))
		}
	}
	if got := compiled.Otherwise(); got != Belief(5*time.Minute) {
		t.Errorf("otherwise: got %s", time.Duration(got))
	}
}

func TestBeliefHolds(t *testing.T) {
	tests := map[string]struct {
		belief           Belief
		age              time.Duration
		holds, inTrouble bool
	}{
		"young":                              {Belief(time.Minute), 59 * time.Second, true, true},
		"at its end":                         {Belief(time.Minute), time.Minute, false, true},
		"at the end of what is for trouble":  {Belief(time.Minute), time.Hour + time.Minute, false, false},
		"just before that":                   {Belief(time.Minute), time.Hour + time.Minute - 1, false, true},
		"nothing, at once":                   {0, 0, false, true},
		"nothing, after what is for trouble": {0, time.Hour, false, false},
		"forever":                            {Forever, math.MaxInt64, true, true},
		"forever, in the future":             {Forever, math.MinInt64, true, true},
		"a clock that was set back":          {Belief(time.Minute), -time.Hour, false, true},
	}
	for name, tc := range tests {
		if got := tc.belief.Holds(tc.age); got != tc.holds {
			t.Errorf("%s: Holds: got %t", name, got)
		}
		if got := tc.belief.HoldsInTrouble(tc.age, time.Hour); got != tc.inTrouble {
			t.Errorf("%s: HoldsInTrouble: got %t", name, got)
		}
	}
}

func TestCompileTagsAndRepositoriesRefuseWhatDoesNotCompile(t *testing.T) {
	_, err := CompileTags(config.TagsConfiguration{
		RevalidateAfter: &metav1.Duration{}, Rules: []config.TagRule{{Match: "(", Policy: config.TagPolicyFrozen}},
	})
	if err == nil {
		t.Error("a tag rule that does not compile is taken")
	}
	if _, err := CompileRepositories(config.RepositoriesConfiguration{Deny: []string{"("}}); err == nil {
		t.Error("an expression that does not compile is taken")
	}
}

func TestAllows(t *testing.T) {
	tests := map[string]struct {
		allow, deny []string
		repository  string
		want        bool
	}{
		"nothing is said":               {nil, nil, "a/b", true},
		"it is allowed":                 {[]string{"x", "a/.*"}, nil, "a/b", true},
		"others are allowed":            {[]string{"a/.*"}, nil, "b", false},
		"a part is not the whole":       {[]string{"b"}, nil, "a/b", false},
		"it is denied":                  {nil, []string{"a/.*"}, "a/b", false},
		"others are denied":             {nil, []string{"a/.*"}, "b", true},
		"what is denied is not allowed": {[]string{"a/.*"}, []string{"a/b"}, "a/b", false},
		"an alternative is anchored":    {[]string{"a|b"}, nil, "ac", false},
	}
	for name, tc := range tests {
		compiled, err := CompileRepositories(config.RepositoriesConfiguration{Allow: tc.allow, Deny: tc.deny})
		if err != nil {
			t.Fatal(err)
		}
		if got := compiled.Allows(tc.repository); got != tc.want {
			t.Errorf("%s: got %t, want %t", name, got, tc.want)
		}
	}
}
