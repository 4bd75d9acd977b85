package v1alpha1

import (
	"errors"
	"fmt"
	"regexp"
)

// RepositoriesConfiguration says which repositories are served.
type RepositoriesConfiguration struct {
	// Allow are RE2 expressions for a whole repository name as the client names it, without the host. Default: every
	// repository.
	Allow []string `json:"allow,omitempty"`
	// Deny are such expressions for what is refused even when it is allowed. Default: nothing.
	Deny []string `json:"deny,omitempty"`
}

// Compile validates both lists, as Validate does, and returns their expressions, each of which matches a whole name.
func (r RepositoriesConfiguration) Compile(field string) (allow, deny []*regexp.Regexp, err error) {
	allow, errAllow := anchoredAll(field+".allow", r.Allow)
	deny, errDeny := anchoredAll(field+".deny", r.Deny)
	return allow, deny, errors.Join(errAllow, errDeny)
}

// Validate says what is wrong with the lists; field is their own path, which the errors begin with.
func (r RepositoriesConfiguration) Validate(field string) error {
	_, _, err := r.Compile(field)
	return err
}

func anchoredAll(field string, expressions []string) ([]*regexp.Regexp, error) {
	compiled := make([]*regexp.Regexp, 0, len(expressions))
	errs := make([]error, 0, len(expressions))
	for i, expression := range expressions {
		match, err := anchored(expression)
		if err != nil {
			err = fmt.Errorf("%s[%d]: %q is not a regular expression of RE2: %w", field, i, expression, err)
		}
		compiled, errs = append(compiled, match), append(errs, err)
	}
	return compiled, errors.Join(errs...)
}
