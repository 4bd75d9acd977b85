// Package runtime reads what a node's containerd is configured to do about registries: its files with their imports, in
// every format there is, as the release at hand reads them. It decides nothing.
package runtime

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// Release is a release of containerd. The order is that of time.
type Release struct {
	Major, Minor int
}

// ParseRelease reads a version as containerd tells it, such as "v2.1.5-k3s1" or "1.6.20~ds1".
func ParseRelease(version string) (Release, error) {
	major, rest, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	minor, _, _ := strings.Cut(rest, ".")
	first, errMajor := strconv.ParseUint(major, 10, 16)
	second, errMinor := strconv.ParseUint(minor, 10, 16)
	if cmp.Or(errMajor, errMinor) != nil {
		return Release{}, fmt.Errorf("reading the version of containerd: %.64q is none such as v2.4.2", version)
	}
	return Release{Major: int(first), Minor: int(second)}, nil
}

// AtLeast says whether it is this release or a later one.
func (r Release) AtLeast(major, minor int) bool {
	return cmp.Or(cmp.Compare(r.Major, major), cmp.Compare(r.Minor, minor)) >= 0
}

// String is such as "2.4".
func (r Release) String() string { return fmt.Sprintf("%d.%d", r.Major, r.Minor) }
