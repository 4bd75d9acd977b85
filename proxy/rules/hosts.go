package rules

import (
	"maps"
	"slices"
	"strings"
)

// Hosts are patterns of registry hosts: one host, or every name below a domain (config.ValidateHostPattern). They are
// immutable, and safe for concurrent use.
type Hosts struct {
	listed map[string]bool
	below  []string // .example.com
}

// HostsOf reads valid patterns.
func HostsOf(patterns []string) Hosts {
	h := Hosts{listed: map[string]bool{}}
	for _, pattern := range patterns {
		if below, found := strings.CutPrefix(pattern, "*"); found {
			h.below = append(h.below, below)
		} else {
			h.listed[pattern] = true
		}
	}
	return h
}

// Listed are those that are named exactly, sorted.
func (h Hosts) Listed() []string { return slices.Sorted(maps.Keys(h.listed)) }

// Allows reports whether a valid host, in lower case, matches a pattern, its port included.
func (h Hosts) Allows(host string) bool {
	if h.listed[host] {
		return true
	}
	for _, suffix := range h.below {
		if strings.HasSuffix(host, suffix) {
			return true
		}
	}
	return false
}
