package rules

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
)

// groupReference is what regexp.Expand takes as a reference in a template: $name, ${name}, and $$ for a dollar.
var groupReference = regexp.MustCompile(`\$(?:(\$)|\{(\w+)\}|(\w+)|)`)

// checkGroups refuses a reference to a group that is not there. regexp.Expand puts nothing in its place, so that
// "$1_x", which means the group "1_x", would silently lose a part of the name.
func checkGroups(match *regexp.Regexp, rewrite string) error {
	for _, reference := range groupReference.FindAllStringSubmatch(rewrite, -1) {
		group := reference[2] + reference[3]
		if reference[1] == "" && !hasGroup(match, group) {
			return fmt.Errorf("%q is no group of match: write ${1} for the first group", reference[0])
		}
	}
	return nil
}

func hasGroup(match *regexp.Regexp, group string) bool {
	if n, err := strconv.Atoi(group); err == nil {
		return n <= match.NumSubexp()
	}
	return group != "" && slices.Contains(match.SubexpNames(), group)
}
