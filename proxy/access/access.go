// Package access says who may do what with the repositories of a registry.
//
// Who asks without saying who they are is shown the way to a token, which is had for a user and a password, or for neither
// where something is for anyone. Every client of registries knows that way; a password that is sent at once does as well.
//
// There are two kinds of users: Accounts, who may do everything, and Identities, of whom somebody else knows what they may do.
package access

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/registryhub/registryhub/proxy/distspec"
)

// Action is what a request does.
type Action string

// What can be done, spelled as in the scopes of tokens.
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
	// Nodes may pull: who shows a certificate that was verified. Default: a certificate is nothing.
	Nodes bool
	// Accounts may do everything. Default: there are none.
	Accounts Accounts
	// Identities may do what they are asked for one by one. Default: there are none.
	Identities Identities
	// Tokens signs what those are given to show instead of a password. Required with Accounts and with Identities.
	Tokens Signer
}

// Signer signs tokens, and knows what it has signed: *Tokens, or what changes them.
type Signer interface {
	SignToken(payload string) []byte
	CheckToken(payload string, signature []byte) bool
}

// Check returns nil for who may do something in a repository, "" for the API's root. Others get an *Error of distspec: 401
// with a challenge in the header, 403 or 503.
func (p Policy) Check(h http.Header, r *http.Request, repository string, action Action) error {
	if action == Pull && p.node(r) {
		return nil
	}
	if !p.knowsAnybody() {
		if p.Anonymous.may(action) {
			return nil // some clients send what they have for any host
		}
		return denied()
	}
	scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	switch strings.ToLower(scheme) {
	case "basic":
		return p.checkPassword(h, r, repository, action)
	case "bearer":
		return p.checkToken(h, r, repository, action)
	}
	if repository != "" && p.Anonymous.may(action) {
		return nil
	}
	return challenge(h, r, repository, action) // at the root too, where clients learn that there is something to show
}

// knowsAnybody says whether there is a reason to ask who somebody is.
func (p Policy) knowsAnybody() bool { return p.Accounts != nil || p.Identities != nil }

func (p Policy) checkPassword(h http.Header, r *http.Request, repository string, action Action) error {
	who, err := p.login(r)
	if isUnknown(err) {
		_ = challenge(h, r, repository, action) // with what is the matter instead of what it says
		return err
	}
	if err != nil {
		return err
	}
	return p.authorize(r, who.Identity, repository, action)
}

// authorize asks what an Identity may do. Accounts, which have none, may do everything.
func (p Policy) authorize(r *http.Request, who *Identity, repository string, action Action) error {
	if who == nil || repository == "" || p.Anonymous.may(action) {
		return nil
	}
	return p.Identities.Authorize(r.Context(), *who, repository, action)
}

func (p Policy) node(r *http.Request) bool {
	return p.Nodes && r.TLS != nil && len(r.TLS.VerifiedChains) > 0
}

// MayMount reports whether a blob may be mounted from a repository. It is the user's own rights that count, also where a token
// was made for something else: clients ask for a token before they know where a blob is.
func (p Policy) MayMount(r *http.Request, repository string) bool {
	if p.Anonymous.may(Pull) {
		return true
	}
	if _, token, bearer := strings.Cut(r.Header.Get("Authorization"), "Bearer "); bearer && p.knowsAnybody() {
		granted, err := p.readToken(token)
		switch {
		case err != nil:
			return false
		case granted.Identity != nil:
			return p.authorize(r, granted.Identity, repository, Pull) == nil
		}
		return granted.User != ""
	}
	return p.knowsAnybody() && p.Check(http.Header{}, r, repository, Pull) == nil
}

func (p Policy) checkToken(h http.Header, r *http.Request, repository string, action Action) error {
	_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	granted, err := p.readToken(strings.TrimSpace(token))
	if err != nil || repository != "" && !p.grants(granted, repository, action) {
		return challenge(h, r, repository, action)
	}
	return p.authorize(r, granted.Identity, repository, action)
}

// grants says whether a token is for something. One of nobody, which may be of an earlier policy, is for no more than may be
// done without.
func (p Policy) grants(c claims, repository string, action Action) bool {
	nobodys := c.User == "" && c.Identity == nil
	return c.allows(repository, action) && (!nobodys || p.Anonymous.may(action))
}

// readToken reads a token of somebody who may be known still: whom a policy does not know had it of an earlier one.
func (p Policy) readToken(text string) (claims, error) {
	granted, err := readToken(p.Tokens, text, time.Now())
	if err != nil || granted.User != "" && p.Accounts == nil || granted.Identity != nil && p.Identities == nil {
		return claims{}, errToken
	}
	return granted, nil
}

func denied() error {
	return distspec.NewError(http.StatusForbidden, distspec.CodeDenied, "nobody may do this here: the registry has no users, and does not let it be done without one")
}
