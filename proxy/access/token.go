package access

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/registryhub/registryhub/proxy/distspec"
)

const (
	// TokenPath is where tokens are had. No repository's paths begin so.
	TokenPath = "/auth/token" //nolint:gosec // where they are had, and none of them
	// tokensExpire is how long a token is good. A push that takes longer gets another one meanwhile.
	tokensExpire = 15 * time.Minute
	// identitiesExpire is how long one of an Identity is good. What it may do is asked meanwhile, whether it is there still is
	// not.
	identitiesExpire = 5 * time.Minute
	// maxScopes is the most repositories that one token can be for.
	maxScopes = 64
	// tokenPurpose keeps a signature from meaning anything elsewhere.
	tokenPurpose = "registryhub access token\n" //nolint:gosec // a word in front of what is signed
)

// Tokens are made and checked by any replica with the same keys.
type Tokens struct {
	keys [][]byte
}

// NewTokens returns Tokens of which the first key signs and all check. There must be one at least, of 32 random bytes or more.
func NewTokens(keys ...[]byte) *Tokens { return &Tokens{keys: keys} }

// claims are what a token says.
type claims struct {
	Expires int64 `json:"exp"`
	// User of Accounts that it was made for, "" for anyone.
	User string `json:"sub,omitempty"`
	// Identity that it was made for.
	Identity *Identity `json:"id,omitempty"`
	Access   []scope   `json:"access,omitempty"`
}

// scope is what may be done in a repository.
type scope struct {
	Name    string   `json:"name"`
	Actions []Action `json:"actions"`
}

func (c claims) allows(repository string, action Action) bool {
	return slices.ContainsFunc(c.Access, func(s scope) bool { return s.Name == repository && slices.Contains(s.Actions, action) })
}

var errToken = errors.New("the token is not valid, or not any more")

// SignToken implements Signer.
func (t *Tokens) SignToken(payload string) []byte { return tokenSignature(t.keys[0], payload) }

// CheckToken implements Signer.
func (t *Tokens) CheckToken(payload string, signature []byte) bool {
	return slices.ContainsFunc(t.keys, func(key []byte) bool { return hmac.Equal(signature, tokenSignature(key, payload)) })
}

func signToken(signer Signer, c claims) (string, error) {
	payload, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	text := base64.RawURLEncoding.EncodeToString(payload)
	return text + "." + base64.RawURLEncoding.EncodeToString(signer.SignToken(text)), nil
}

func readToken(signer Signer, text string, now time.Time) (claims, error) {
	payload, signed, _ := strings.Cut(text, ".")
	signature, err := base64.RawURLEncoding.DecodeString(signed)
	if err != nil || signer == nil || !signer.CheckToken(payload, signature) {
		return claims{}, errToken
	}
	var c claims
	content, err := base64.RawURLEncoding.DecodeString(payload)
	if err == nil {
		err = json.Unmarshal(content, &c)
	}
	if err != nil || now.Unix() >= c.Expires {
		return claims{}, errToken
	}
	return c, nil
}

func tokenSignature(key []byte, payload string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(tokenPurpose))
	mac.Write([]byte(payload))
	return mac.Sum(nil)
}

// tokenAnswer is what clients expect, older ones and those of OAuth 2.
type tokenAnswer struct {
	Token       string    `json:"token"`
	AccessToken string    `json:"access_token"`
	ExpiresIn   int       `json:"expires_in"`
	IssuedAt    time.Time `json:"issued_at"`
}

// ServeToken answers at TokenPath: a token for what is asked for, as far as the caller may do it. Without credentials that is
// what is for anyone; with wrong ones there is none.
func (p Policy) ServeToken(w http.ResponseWriter, r *http.Request) {
	if err := p.serveToken(w, r); err != nil {
		distspec.WriteError(w, r, err)
	}
}

func (p Policy) serveToken(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet || !p.knowsAnybody() {
		w.Header().Set("Allow", "GET")
		return distspec.NewError(http.StatusMethodNotAllowed, distspec.CodeUnsupported, "tokens are had by GET, with a user and a password")
	}
	now := time.Now()
	granted := claims{Expires: now.Add(tokensExpire).Unix()}
	anonymous := r.Header.Get("Authorization") == ""
	if !anonymous {
		who, err := p.login(r)
		if isUnknown(err) {
			w.Header().Set("WWW-Authenticate", `Basic realm="RegistryHub"`)
		}
		if err != nil {
			return err
		}
		granted = who.claims(now)
	}
	scopes, err := parseScopes(r.URL.Query()["scope"])
	if err != nil {
		return err
	}
	for _, asked := range scopes {
		asked.Actions = slices.DeleteFunc(asked.Actions, func(a Action) bool { return anonymous && !p.Anonymous.may(a) })
		granted.Access = append(granted.Access, asked)
	}
	return answerToken(w, p.Tokens, granted, now)
}

func answerToken(w http.ResponseWriter, signer Signer, granted claims, now time.Time) error {
	token, err := signToken(signer, granted)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	now = now.UTC().Truncate(time.Second)
	return json.NewEncoder(w).Encode(tokenAnswer{Token: token, AccessToken: token, ExpiresIn: int(granted.Expires - now.Unix()), IssuedAt: now}) //nolint:gosec // who asks for a token is given it
}

// parseScopes reads scopes like repository:team/app:pull,push. What is of another type grants nothing.
func parseScopes(asked []string) ([]scope, error) {
	var scopes []scope
	for _, one := range strings.Fields(strings.Join(asked, " ")) {
		kind, rest, _ := strings.Cut(one, ":")
		i := strings.LastIndexByte(rest, ':')
		if kind != "repository" || i < 0 || !distspec.ValidRepository(rest[:i]) {
			continue
		}
		if len(scopes) == maxScopes {
			return nil, distspec.NewError(http.StatusBadRequest, distspec.CodeUnsupported, fmt.Sprintf("a token is for %d repositories at most", maxScopes))
		}
		scopes = append(scopes, scope{Name: rest[:i], Actions: actionsOf(rest[i+1:])})
	}
	return scopes, nil
}

func actionsOf(text string) []Action {
	var actions []Action
	for one := range strings.SplitSeq(text, ",") {
		switch action := Action(one); {
		case one == "*":
			actions = append(actions, Pull, Push, Delete)
		case action == Pull || action == Push || action == Delete:
			actions = append(actions, action)
		}
	}
	slices.Sort(actions)
	return slices.Compact(actions)
}

// challenge leads to where a token is had. Its address is made of the host that the client asked, since the registry's name may
// resolve nowhere. No cache may give it to anybody else, who would be led, with a password, to where another client said that it
// came from.
func challenge(h http.Header, r *http.Request, repository string, action Action) error {
	realm := url.URL{Scheme: schemeOf(r), Host: hostOf(r), Path: TokenPath}
	text := fmt.Sprintf(`Bearer realm=%q,service="registryhub"`, realm.String())
	if repository != "" {
		text += fmt.Sprintf(`,scope="repository:%s:%s"`, repository, wantedScope(action))
	}
	h.Set("WWW-Authenticate", text)
	h.Set("Cache-Control", "no-store")
	return distspec.NewError(http.StatusUnauthorized, distspec.CodeUnauthorized, "say who you are: log in with a user and a password of this registry")
}

// wantedScope is what a client needs that does one thing: who pushes asks what is there.
func wantedScope(action Action) string {
	if action == Push {
		return "pull,push"
	}
	return string(action)
}

// schemeOf and hostOf are what the client asked, as far as those in front of the registry tell (RFC 7239, X-Forwarded-*). Anyone is
// believed: who lies is led there alone, since no other client gets the answer. What was asked over TLS leads to TLS, whoever says
// otherwise.
func schemeOf(r *http.Request) string {
	switch {
	case r.TLS != nil, forwarded(r, "proto") == "https", first(r.Header.Get("X-Forwarded-Proto")) == "https":
		return "https"
	}
	return "http"
}

func hostOf(r *http.Request) string {
	if host := forwarded(r, "host"); validHost(host) {
		return host
	}
	if host := first(r.Header.Get("X-Forwarded-Host")); validHost(host) {
		return host
	}
	return r.Host
}

func validHost(host string) bool {
	u, err := url.Parse("//" + host)
	return host != "" && err == nil && u.Host == host && u.User == nil
}

// first is the first of a list, which is what the client sent.
func first(list string) string {
	one, _, _ := strings.Cut(list, ",")
	return strings.ToLower(strings.TrimSpace(one))
}

// forwarded is a parameter of the first element of the Forwarded header.
func forwarded(r *http.Request, name string) string {
	element, _, _ := strings.Cut(r.Header.Get("Forwarded"), ",")
	for parameter := range strings.SplitSeq(element, ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(parameter), "=")
		if strings.EqualFold(key, name) {
			return strings.ToLower(strings.Trim(value, `"`))
		}
	}
	return ""
}
