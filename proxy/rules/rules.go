// Package rules decides which other name a manifest is asked for after an upstream's final answer. It is pure.
//
// A rule is for references to manifests alone, and is used once: what it yields is never derived again.
package rules

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy/distspec"
)

// BuiltInName is the name of the rule that is built in, for logs and metrics.
const BuiltInName = "doubled-segment"

// builtInHost is the one upstream that the built-in rule is for. On a registry that many share, <x>/<x> may belong
// to a stranger, so nothing else is built in.
const builtInHost = "registry.k8s.io"

// Rules are compiled fallback rules. They are immutable, and safe for concurrent use.
type Rules struct {
	rules []rule
}

// Attempt is the one other name to ask for.
type Attempt struct {
	// Rule is the name of the rule that yields it.
	Rule string
	// Repository is the name to ask for, before an upstream's prefix is put in front.
	Repository string
}

type rule struct {
	name     string
	host     string // The one upstream host that it is for; "" is every one.
	onStatus []int32
	match    *regexp.Regexp
	rewrite  string
}

// Compile compiles the rules, in order, and puts the built-in one behind them. onStatus left out means 404. The error
// names every rule that is wrong: by its own validation, or because its rewrite names a group that match has not.
func Compile(configured []config.FallbackRule) (*Rules, error) {
	compiled := make([]rule, 0, len(configured)+1)
	errs := make([]error, 0, len(configured))
	for i, c := range configured {
		r, err := compile(fmt.Sprintf("fallbackRules[%d]", i), c)
		compiled, errs = append(compiled, r), append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("compiling the fallback rules: %w", err)
	}
	return &Rules{rules: append(compiled, builtIn)}, nil
}

var builtIn = rule{
	name:     BuiltInName,
	host:     builtInHost,
	onStatus: []int32{http.StatusNotFound},
	match:    regexp.MustCompile(`\A(?:([^/]+))\z`),
	rewrite:  "$1/$1",
}

func compile(field string, c config.FallbackRule) (rule, error) {
	match, err := c.Compile(field)
	if err != nil {
		return rule{}, err
	}
	onStatus := c.OnStatus
	if len(onStatus) == 0 {
		onStatus = []int32{http.StatusNotFound}
	}
	return rule{name: c.Name, onStatus: onStatus, match: match, rewrite: c.Rewrite}, nil
}

// Fallback is the one other name to ask the upstream for, after it has finally answered status (after the whole
// exchange of tokens and every redirect) to a manifest reference in repository, the client-facing name. upstreamHost
// may carry a port and capitals: neither counts.
//
// The first rule whose expression matches the whole name, and that names the status, decides. Where it yields the same
// name, or none that is valid, there is no attempt, and no later rule is asked: a rule that rewrites a name to itself
// switches the built-in one off.
func (r *Rules) Fallback(upstreamHost, repository string, status int) (Attempt, bool) {
	host := hostname(upstreamHost)
	for _, rule := range r.rules {
		groups := rule.groups(host, repository, status)
		if groups == nil {
			continue
		}
		to := string(rule.match.ExpandString(nil, rule.rewrite, repository, groups))
		if to == repository || !distspec.ValidRepository(to) {
			return Attempt{}, false
		}
		return Attempt{Rule: rule.name, Repository: to}, true
	}
	return Attempt{}, false
}

// groups is nil when the rule is not for the answer.
func (r rule) groups(host, repository string, status int) []int {
	if r.host != "" && r.host != host {
		return nil
	}
	if !slices.ContainsFunc(r.onStatus, func(s int32) bool { return int(s) == status }) {
		return nil
	}
	return r.match.FindStringSubmatchIndex(repository)
}

func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(host)
}
