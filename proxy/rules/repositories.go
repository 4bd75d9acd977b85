package rules

import (
	"fmt"
	"regexp"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
)

// Repositories are compiled lists of which repositories are served. They are immutable, and safe for concurrent use.
// The zero value serves all.
type Repositories struct {
	allow, deny []*regexp.Regexp
}

// CompileRepositories compiles both lists. The error names every expression that is wrong.
func CompileRepositories(configured config.RepositoriesConfiguration) (Repositories, error) {
	allow, deny, err := configured.Compile("repositories")
	if err != nil {
		return Repositories{}, fmt.Errorf("compiling the lists of repositories: %w", err)
	}
	return Repositories{allow: allow, deny: deny}, nil
}

// Allows reports whether a repository is served, by the name that the client uses. What is denied is not, whatever
// allows it; an empty list of what is allowed allows everything.
func (r Repositories) Allows(repository string) bool {
	return !anyMatches(r.deny, repository) && (len(r.allow) == 0 || anyMatches(r.allow, repository))
}

func anyMatches(expressions []*regexp.Regexp, name string) bool {
	for _, expression := range expressions {
		if expression.MatchString(name) {
			return true
		}
	}
	return false
}
