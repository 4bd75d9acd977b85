package distspec

import "strings"

// MaxRepositoryLength is the most characters that a repository name has. The specification sets no limit of its
// own and names 255, for the host and the name together, as what clients bear.
const MaxRepositoryLength = 255

// ValidRepository reports whether name is a repository name of the specification ("Pulling manifests", <name>):
//
//	[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*
//
// and at most MaxRepositoryLength long. No valid name has an empty segment, "." or "..", so it is safe as a
// relative path.
func ValidRepository(name string) bool {
	if name == "" || len(name) > MaxRepositoryLength {
		return false
	}
	for component := range strings.SplitSeq(name, "/") {
		if !validComponent(component) {
			return false
		}
	}
	return true
}

// validComponent is written out because the regular expression costs more than the rest of a cache hit's parsing.
func validComponent(s string) bool {
	for {
		n := alphanumerics(s)
		if n == 0 {
			return false
		}
		if s = s[n:]; s == "" {
			return true
		}
		n = separator(s)
		if n == 0 {
			return false
		}
		s = s[n:]
	}
}

func alphanumerics(s string) int {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return i
		}
	}
	return len(s)
}

// separator is the length of the separator that s begins with: one dot, one or two underscores, any number of
// hyphens.
func separator(s string) int {
	switch {
	case s[0] == '.':
		return 1
	case strings.HasPrefix(s, "__"):
		return 2
	case s[0] == '_':
		return 1
	default:
		return len(s) - len(strings.TrimLeft(s, "-"))
	}
}
