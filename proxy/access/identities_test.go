package access_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/registryhub/registryhub/proxy/access"
	"github.com/registryhub/registryhub/proxy/distspec"
)

// identities know who shows "jwt:NAME", and let builder push to team/app and pull from team/base.
type identities struct {
	away    bool
	expires time.Time
}

func (i identities) Claim(password string) bool { return strings.HasPrefix(password, "jwt:") }

func (i identities) Identify(_ context.Context, password string) (access.Identity, time.Time, error) {
	name := strings.TrimPrefix(password, "jwt:")
	switch {
	case i.away:
		return access.Identity{}, time.Time{}, distspec.Unavailable(errors.New("away"))
	case name == "nobody":
		return access.Identity{}, time.Time{}, access.Unknown("the cluster does not know it")
	}
	return access.Identity{Name: name}, i.expires, nil
}

func (i identities) Authorize(_ context.Context, who access.Identity, repository string, action access.Action) error {
	switch {
	case i.away:
		return distspec.Unavailable(errors.New("away"))
	case who.Name == "builder" && (repository == "team/app" && action != access.Delete || repository == "team/base" && action == access.Pull):
		return nil
	}
	return distspec.NewError(http.StatusForbidden, distspec.CodeDenied, who.Name+" may not")
}

// known is a policy with both kinds of users.
func known(of identities, anonymous access.Anonymous) access.Policy {
	p := policy(anonymous)
	if of.expires.IsZero() {
		of.expires = time.Now().Add(time.Hour)
	}
	p.Identities = of
	return p
}

func basicOf(user, password string) string {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.SetBasicAuth(user, password)
	return r.Header.Get("Authorization")
}

func TestWhatThoseOfAClusterMayDo(t *testing.T) {
	const app = "team/app"
	users, away, pull := known(identities{}, access.AnonymousNone), known(identities{away: true}, access.AnonymousNone), known(identities{}, access.AnonymousPull)
	awayAndPublic := known(identities{away: true}, access.AnonymousPull)
	without := policy(access.AnonymousNone)
	alone := access.Policy{Identities: identities{expires: time.Now().Add(time.Hour)}, Tokens: users.Tokens}
	builder, alice := basicOf("serviceaccount", "jwt:builder"), basicOf("alice", "secret")
	builders := "Bearer " + token(t, users, "repository:team/app:pull,push,delete&scope=repository:team/base:push", "any", "jwt:builder")
	alices := "Bearer " + token(t, users, "repository:team/app:pull,push", "alice", "secret")
	try(t, map[string]attempt{
		"who may push":                               {users, builder, app, access.Push, 0},
		"who may not delete":                         {users, builder, app, access.Delete, 403},
		"who may nothing there":                      {users, builder, "other/app", access.Pull, 403},
		"who is known, at the root":                  {users, builder, "", access.Pull, 0},
		"who is not known":                           {users, basicOf("alice", "jwt:nobody"), app, access.Pull, 401},
		"a user beside them":                         {users, alice, "other/app", access.Delete, 0},
		"a user who is none":                         {alone, alice, app, access.Pull, 401},
		"where nobody can be known":                  {away, builder, app, access.Push, 503},
		"a user where nobody can be known":           {away, alice, app, access.Push, 0},
		"a user's token where nobody can be known":   {away, alices, app, access.Push, 0},
		"a token where nobody can be known":          {away, builders, app, access.Push, 503},
		"who says nothing where nobody can be known": {awayAndPublic, "", app, access.Pull, 0},
		"a token, for what anyone may":               {awayAndPublic, builders, app, access.Pull, 0},
		"a token":                                    {users, builders, app, access.Push, 0},
		"a token, for what it may not":               {users, builders, app, access.Delete, 403},
		"a token, for what it was not made":          {users, builders, "other/app", access.Pull, 401},
		"a token at the root":                        {users, builders, "", access.Pull, 0},
		"a token of whom nobody knows any more":      {without, builders, app, access.Pull, 401},
		"a token of a user of whom the same is true": {alone, alices, app, access.Pull, 401},
		"a password like theirs that is nobody's":    {without, builder, app, access.Pull, 401},
		"who may pull as anyone may":                 {pull, builder, "other/app", access.Pull, 0},
		"who says nothing":                           {alone, "", app, access.Pull, 401},
	})
}

func TestMountingTakesTheRightToPullOfWhoMounts(t *testing.T) {
	users := known(identities{}, access.AnonymousNone)
	made := func(password string) string {
		return "Bearer " + token(t, users, "repository:team/app:pull,push&scope=repository:other/app:pull", "any", password)
	}
	for name, tc := range map[string]struct {
		authorization, from string
		may                 bool
	}{
		"what may be pulled":                     {made("jwt:builder"), "team/base", true},
		"what may not":                           {made("jwt:builder"), "other/base", false},
		"what a token was made for, and may not": {made("jwt:builder"), "other/app", false},
		"what somebody else may pull":            {made("jwt:another"), "team/base", false},
		"with the password, what may be pulled":  {basicOf("any", "jwt:builder"), "team/base", true},
		"with the password, what may not":        {basicOf("any", "jwt:builder"), "other/base", false},
		"an account's, which may everything":     {"Bearer " + token(t, users, "repository:team/app:push", "alice", "secret"), "other/base", true},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "/v2/team/app/blobs/uploads/", nil)
			r.Header.Set("Authorization", tc.authorization)
			if got := users.MayMount(r, tc.from); got != tc.may {
				t.Errorf("got %v, want %v", got, tc.may)
			}
		})
	}
	without := policy(access.AnonymousNone)
	r := httptest.NewRequest(http.MethodPost, "/v2/team/app/blobs/uploads/", nil)
	r.Header.Set("Authorization", made("jwt:builder"))
	if without.MayMount(r, "team/base") {
		t.Error("whom nobody knows any more mounts")
	}
}

// What is not asked again is good for minutes.
func TestATokenOfThoseOfAClusterIsGoodForLessThanAnothers(t *testing.T) {
	for name, tc := range map[string]struct {
		password string
		expires  time.Duration
		want     time.Duration
	}{
		"an account's":                   {"secret", time.Hour, 15 * time.Minute},
		"of the cluster":                 {"jwt:builder", time.Hour, 5 * time.Minute},
		"of the cluster, about to go":    {"jwt:builder", time.Minute, time.Minute},
		"of the cluster, the API away":   {"jwt:builder", -time.Second, 0},
		"of the cluster, and of nobody":  {"jwt:nobody", time.Hour, 0},
		"of an account with another one": {"other", time.Hour, 0},
	} {
		t.Run(name, func(t *testing.T) {
			p := access.Policy{Accounts: accounts{}, Identities: identities{expires: time.Now().Add(tc.expires), away: tc.expires < 0}, Tokens: access.NewTokens(bytes.Repeat([]byte("k"), 32))}
			r := httptest.NewRequest(http.MethodGet, access.TokenPath+"?scope=repository:a:pull", nil)
			r.SetBasicAuth("alice", tc.password)
			w := httptest.NewRecorder()
			p.ServeToken(w, r)
			var answer struct {
				ExpiresIn int64 `json:"expires_in"`
			}
			if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
				t.Fatal(err)
			}
			if got := time.Duration(answer.ExpiresIn) * time.Second; got > tc.want || got < tc.want-2*time.Second {
				t.Errorf("got %d, and a token for %v, want one for %v", w.Code, got, tc.want)
			}
			want := http.StatusOK
			switch {
			case tc.expires < 0:
				want = http.StatusServiceUnavailable
			case tc.want == 0:
				want = http.StatusUnauthorized
			}
			if w.Code != want || (want == http.StatusServiceUnavailable) != (w.Header().Get("Retry-After") != "") {
				t.Errorf("got %d with %v, want %d", w.Code, w.Header(), want)
			}
		})
	}
}
