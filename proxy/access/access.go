// Package access says who may do what with the repositories of a registry.
package access

import (
	"context"
	"net/http"

	"github.com/registryhub/registryhub/proxy/distspec"
)

// Action is what a request does.
type Action string

// What can be done.
const (
	Pull   Action = "pull"
	Push   Action = "push"
	Delete Action = "delete"
)

// Anonymous is what may be done by those who do not say who they are.
type Anonymous string

// What an Anonymous can be.
const (
	// AnonymousNone may do nothing.
	AnonymousNone Anonymous = "None"
	// AnonymousPull may pull.
	AnonymousPull Anonymous = "Pull"
	// AnonymousPush may pull, push and delete.
	AnonymousPush Anonymous = "Push"
)

func (a Anonymous) may(action Action) bool {
	return a == AnonymousPush || a == AnonymousPull && action == Pull
}

// Accounts knows users by their passwords.
type Accounts interface {
	// Verify reports whether there is such a user with that password. It takes as long for a user that is not there. An
	// error says that nobody can be known now.
	Verify(ctx context.Context, user, password string) (bool, error)
}

// Policy says who may do what. The zero value lets nobody do anything.
type Policy struct {
	// Anonymous is what may be done without credentials. Default: nothing.
	Anonymous Anonymous
	// Accounts may do everything. Default: there are none.
	Accounts Accounts
}

// realm is what a browser would show; no client of a registry does.
const realm = `Basic realm="RegistryHub"`

// Check returns nil for who may do something in a repository, "" for the API's root. Others get an *Error of distspec, 401
// with a challenge in the header, 403 or 503.
func (p Policy) Check(h http.Header, r *http.Request, _ string, action Action) error {
	user, password, given := r.BasicAuth()
	switch {
	case r.Header.Get("Authorization") == "" && p.Anonymous.may(action):
		return nil
	case p.Accounts == nil && r.Header.Get("Authorization") != "" && p.Anonymous.may(action):
		return nil // some clients send what they have for any host
	case p.Accounts == nil:
		return denied()
	case !given:
		return challenge(h)
	}
	known, err := p.Accounts.Verify(r.Context(), user, password)
	switch {
	case err != nil:
		return distspec.Unavailable(err)
	case !known:
		return challenge(h)
	}
	return nil
}

func challenge(h http.Header) error {
	h.Set("WWW-Authenticate", realm)
	return distspec.NewError(http.StatusUnauthorized, distspec.CodeUnauthorized, "say who you are: log in with a user and a password of this registry")
}

func denied() error {
	return distspec.NewError(http.StatusForbidden, distspec.CodeDenied, "nobody may do this here: the registry has no users, and does not let it be done without one")
}
