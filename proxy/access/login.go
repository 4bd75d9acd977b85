package access

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/registryhub/registryhub/proxy/distspec"
)

// Identity is somebody whom Identities know. Tokens hold it, for its owner to read.
type Identity struct {
	// Name of the user, such as system:serviceaccount:team:builder. Never empty.
	Name string `json:"name"`
	// UID, Groups and Extra are what else is known of the user, and may decide what it may do.
	UID    string              `json:"uid,omitempty"`
	Groups []string            `json:"groups,omitempty"`
	Extra  map[string][]string `json:"extra,omitempty"`
}

// Identities know users by passwords that say themselves whose they are, and what each of them may do.
type Identities interface {
	// Claim reports whether a password is one for Identify. It decides by its form alone; one that it does not claim is an
	// account's.
	Claim(password string) bool
	// Identify returns whose a password is, and until when. Errors are an *Error of distspec: 401 for nobody's, 503 when
	// that cannot be known now.
	Identify(ctx context.Context, password string) (Identity, time.Time, error)
	// Authorize returns nil for who may do something in a repository. Errors are an *Error of distspec: 403 for who may not,
	// 503 when that cannot be known now.
	Authorize(ctx context.Context, who Identity, repository string, action Action) error
}

// Unknown says that a password is nobody's: 401 UNAUTHORIZED. The message says why, as far as who showed it may know.
func Unknown(message string) error {
	return distspec.NewError(http.StatusUnauthorized, distspec.CodeUnauthorized, message)
}

func isUnknown(err error) bool {
	e, found := errors.AsType[*distspec.Error](err)
	return found && e.Status == http.StatusUnauthorized
}

// login is somebody who has shown a password.
type login struct {
	// User of the accounts; "" for an Identity.
	User     string
	Identity *Identity
	// Expires is when an Identity's password does.
	Expires time.Time
}

// claims are those of a token for somebody, without what it is for.
func (l login) claims(now time.Time) claims {
	expires := now.Add(tokensExpire)
	if l.Identity != nil {
		expires = now.Add(identitiesExpire)
		if l.Expires.Before(expires) {
			expires = l.Expires
		}
	}
	return claims{Expires: expires.Unix(), User: l.User, Identity: l.Identity}
}

// login finds out who sends a request, by a password. Which of the two kinds of users is asked is said by the password
// alone: the name of a user makes no difference in time.
func (p Policy) login(r *http.Request) (login, error) {
	user, password, given := r.BasicAuth()
	if p.Identities != nil && p.Identities.Claim(password) {
		who, expires, err := p.Identities.Identify(r.Context(), password)
		return login{Identity: &who, Expires: expires}, err
	}
	known, err := given, error(nil)
	if known {
		known, err = p.verify(r.Context(), user, password)
	}
	if err == nil && !known {
		err = Unknown("there is no such user, or the password is another")
	}
	return login{User: user}, err
}

func (p Policy) verify(ctx context.Context, user, password string) (bool, error) {
	if p.Accounts == nil {
		return false, nil
	}
	known, err := p.Accounts.Verify(ctx, user, password)
	if err != nil {
		return false, distspec.Unavailable(err)
	}
	return known, nil
}
