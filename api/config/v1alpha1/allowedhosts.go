package v1alpha1

import (
	"errors"
	"fmt"
	"strings"
)

// AnyHost stands, among a mirror's hosts, for every host that has no entry of its own and that allowedHosts holds.
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
	anyHost := false
	for _, host := range m.Hosts {
		anyHost = anyHost || host.Host == AnyHost
	}
	var errs []error
	if anyHost != (len(m.AllowedHosts) > 0) {
		errs = append(errs, fmt.Errorf("mirror.allowedHosts: required with the host %q, and for it alone: name the hosts that it may stand for", AnyHost))
	}
	for i, pattern := range m.AllowedHosts {
		errs = append(errs, ValidateHostPattern(fmt.Sprintf("mirror.allowedHosts[%d]", i), pattern))
	}
	return errors.Join(errs...)
}
