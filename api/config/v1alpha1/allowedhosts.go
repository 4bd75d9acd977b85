package v1alpha1

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// AnyHost stands, among the hosts of a mirror or of a hub, for every host that has no entry of its own and that allowedHosts
// holds.
const AnyHost = "*"

// anyBelow begins a pattern for every host below a domain.
const anyBelow = "*."

// ValidateHostPattern says what is wrong with a pattern of allowedHosts: a host (ValidateHost), or one behind "*.", which
// stands for every name below it with the same port or, like it, none. field is what the error begins with.
func ValidateHostPattern(field, value string) error {
	domain, below := strings.CutPrefix(value, anyBelow)
	if !below {
		return ValidateHost(field, value)
	}
	if !validNamedHost(domain) || !strings.Contains(domain, ".") {
		return fmt.Errorf("%s: %q is not a pattern of hosts: write *. and a domain of at least two labels, such as *.example.com", field, value)
	}
	return nil
}

// validateAny checks the entry for every other host.
func (h MirrorHost) validateAny(field string) error {
	if len(h.Upstreams) > 0 {
		return fmt.Errorf("%s.upstreams: cannot stand beside host %q: each host is its own upstream", field, AnyHost)
	}
	return nil
}

func (m *MirrorConfiguration) validateAllowedHosts() error {
	anyHost := slices.ContainsFunc(m.Hosts, func(h MirrorHost) bool { return h.Host == AnyHost })
	return validateAllowed("mirror.allowedHosts", anyHost, m.AllowedHosts)
}

// validateAllowed checks patterns that stand beside the host "*", or without it.
func validateAllowed(field string, anyHost bool, patterns []string) error {
	var errs []error
	if anyHost != (len(patterns) > 0) {
		errs = append(errs, fmt.Errorf("%s: required with the host %q, and for it alone: name the hosts that it may stand for", field, AnyHost))
	}
	for i, pattern := range patterns {
		errs = append(errs, ValidateHostPattern(fmt.Sprintf("%s[%d]", field, i), pattern))
	}
	return errors.Join(errs...)
}

// HostAllowed says whether a host, in lower case and with its port where it has one, matches one of valid patterns.
func HostAllowed(patterns []string, host string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		below, isDomain := strings.CutPrefix(pattern, "*")
		return host == pattern || isDomain && strings.HasSuffix(host, below)
	})
}
