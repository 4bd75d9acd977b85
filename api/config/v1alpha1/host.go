package v1alpha1

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

var (
	namedHost   = regexp.MustCompile(`^([a-z0-9]([-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*)(:[0-9]+)?$`)
	literalHost = regexp.MustCompile(`^\[([0-9a-f:.]+)\](:[0-9]+)?$`)
)

// ValidateHost says what is wrong with a registry host as written in image references: a lower-case DNS name, an IPv4
// address, or an IPv6 address in brackets (RFC 3986, section 3.2.2), with its port where it has one. field is what the
// error begins with.
func ValidateHost(field, value string) error {
	if validNamedHost(value) || validLiteralHost(value) {
		return nil
	}
	return fmt.Errorf("%s: %q is not a registry host: write a lower-case name or address with its port where it has one, such as docker.io or registry.example.com:5000", field, value)
}

func validNamedHost(value string) bool {
	match := namedHost.FindStringSubmatch(value)
	return match != nil && len(value) <= maxHost && validPort(match[len(match)-1])
}

func validLiteralHost(value string) bool {
	match := literalHost.FindStringSubmatch(value)
	if match == nil {
		return false
	}
	address, err := netip.ParseAddr(match[1])
	return err == nil && address.Is6() && validPort(match[2])
}

// maxHost is the length that a DNS name may have (RFC 1035, section 3.1).
const maxHost = 253

// validPort takes a port with its colon, or nothing.
func validPort(port string) bool {
	if port == "" {
		return true
	}
	number, err := strconv.ParseUint(strings.TrimPrefix(port, ":"), 10, 16)
	return err == nil && number > 0
}
