package v1alpha1

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
)

// Validate says what is wrong with the rule; field is the rule's own path, which the errors begin with.
func (r FallbackRule) Validate(field string) error {
	_, err := r.Compile(field)
	return err
}

// Compile validates the rule, as Validate does, and returns the expression that matches a whole repository name.
func (r FallbackRule) Compile(field string) (*regexp.Regexp, error) {
	var errs []error
	if r.Name == "" {
		errs = append(errs, fmt.Errorf("%s.name: required", field))
	}
	match, err := anchored(r.Match)
	if err != nil {
		errs = append(errs, fmt.Errorf("%s.match: %q is not a regular expression of RE2: %w", field, r.Match, err))
	} else if err := checkGroups(match, r.Rewrite); err != nil {
		errs = append(errs, fmt.Errorf("%s.rewrite: %w", field, err))
	}
	for i, status := range r.OnStatus {
		switch status {
		case 401, 403, 404, 410:
		default:
			errs = append(errs, fmt.Errorf("%s.onStatus[%d]: %d is not one of 401, 403, 404, 410", field, i, status))
		}
	}
	return match, errors.Join(errs...)
}

// anchored matches a whole name. The expression must stand by itself first: "a)|(b" would step out of the anchors.
func anchored(expression string) (*regexp.Regexp, error) {
	if expression == "" {
		return nil, errors.New("it is empty")
	}
	if _, err := regexp.Compile(expression); err != nil {
		return nil, err
	}
	return regexp.Compile(`\A(?:` + expression + `)\z`)
}

// groupReference is what regexp.Expand takes as a reference in a template: $name, ${name}, and $$ for a dollar.
var groupReference = regexp.MustCompile(`\$(?:(\$)|\{(\w+)\}|(\w+)|)`)

// checkGroups refuses a reference to a group that is not there. regexp.Expand puts nothing in its place, so that
// "$1_x", which means the group "1_x", would silently lose a part of the name.
func checkGroups(match *regexp.Regexp, rewrite string) error {
	if rewrite == "" {
		return errors.New("required: name the repository to ask for instead")
	}
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
