package upstream

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/registryhub/registryhub/proxy/distspec"
)

const (
	// defaultTokenLifetime is what a token lives when the server does not say (distribution's token specification).
	defaultTokenLifetime = time.Minute
	maxTokenLifetime     = 24 * time.Hour
	// basicLifetime is how long a user name and password are used before their file is read again.
	basicLifetime = 5 * time.Minute
)

// tokenServer turns challenges into credentials, reading the configured ones each time.
type tokenServer struct {
	guard  *guard
	source credentialSource
	inner  http.RoundTripper
}

// exchange meets a challenge for a repository. A credential without a header means that there is nothing to meet it
// with.
func (s *tokenServer) exchange(ctx context.Context, repository string, c challenge) (credential, error) {
	issued := time.Now()
	configured, err := s.source()
	if err != nil {
		return credential{}, fmt.Errorf("reading the credentials for %s: %w", s.guard.host, err)
	}
	if configured.RegistryToken != "" {
		return credential{challenge: c, header: "Bearer " + configured.RegistryToken, issued: issued, expires: issued.Add(basicLifetime)}, nil
	}
	if c.scheme == "basic" {
		return credential{challenge: c, header: basicHeader(configured), issued: issued, expires: issued.Add(basicLifetime)}, nil
	}
	token, err := s.token(ctx, repository, c, configured)
	if err != nil {
		return credential{}, err
	}
	return credential{challenge: c, header: "Bearer " + token.value, issued: issued, expires: issued.Add(token.lifetime)}, nil
}

func basicHeader(configured authn.AuthConfig) string {
	if configured.Username == "" || configured.Password == "" {
		return ""
	}
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(configured.Username+":"+configured.Password))
}

type token struct {
	value    string
	lifetime time.Duration
}

func (s *tokenServer) token(ctx context.Context, repository string, c challenge, configured authn.AuthConfig) (token, error) {
	realm, err := url.Parse(c.realm)
	if err != nil {
		return token{}, &InvalidResponseError{Where: Where{Method: http.MethodGet, Host: s.guard.host}, Reason: "its token server's address is malformed"}
	}
	where := Where{Method: http.MethodGet, Host: realm.Host, Path: realm.Path}
	if err := s.guard.checkRealm(realm); err != nil {
		return token{}, &InvalidResponseError{Where: Where{Method: http.MethodGet, Host: s.guard.host}, Reason: err.Error()}
	}
	registry, err := name.NewRegistry(realm.Host) // The guard has decided: the library's own check is for this host alone.
	if err != nil {
		return token{}, &InvalidResponseError{Where: where, Reason: "its host is malformed"}
	}
	wire := &tokenTransport{origin: originOf(realm), inner: s.inner}
	got, err := transport.Exchange(ctx, registry, authenticator(configured), wire, c.scopes(repository), &transport.Challenge{
		Scheme:     c.scheme,
		Parameters: map[string]string{"realm": c.realm, "service": c.service},
		Insecure:   !s.guard.secure,
	})
	if err != nil {
		return token{}, exchangeError(ctx, where, wire, err)
	}
	return usable(got), nil
}

func authenticator(configured authn.AuthConfig) authn.Authenticator {
	if configured == (authn.AuthConfig{}) {
		return authn.Anonymous
	}
	return authn.FromConfig(configured)
}

// usable gives a token up a tenth of its life, at most half a minute, early, so that it does not expire on its way.
func usable(got *transport.Token) token {
	value := got.Token
	if got.AccessToken != "" {
		value = got.AccessToken
	}
	lifetime := defaultTokenLifetime
	if got.ExpiresIn > 0 {
		lifetime = time.Duration(min(got.ExpiresIn, int(maxTokenLifetime/time.Second))) * time.Second
	}
	return token{value: value, lifetime: lifetime - min(lifetime/10, 30*time.Second)}
}

// exchangeError gives an error of an exchange its type. The library's own texts quote bodies and addresses, and so
// secrets. A 404 of the token server is not the registry's: it says nothing about what was asked for.
func exchangeError(ctx context.Context, where Where, wire *tokenTransport, err error) error {
	answered, ok := errors.AsType[*transport.Error](err)
	switch {
	case IsInvalidResponse(wire.err):
		return wire.err
	case wire.err != nil:
		return &UnreachableError{Where: where, Err: wire.err}
	case ok:
		return tokenStatusError(where, answered.StatusCode, wire.retryAfter)
	case ctx.Err() != nil:
		return &UnreachableError{Where: where, Err: ctx.Err()}
	}
	return &InvalidResponseError{Where: where, Reason: "the token server's answer holds no token, or leads where it must not"}
}

func tokenStatusError(where Where, code int, retryAfter time.Duration) error {
	status := &StatusError{Where: where, Status: code, RetryAfter: retryAfter}
	if IsUnauthorized(status) || IsUnavailable(status) {
		return status
	}
	return &UnreachableError{Where: where, Err: fmt.Errorf("the token server answers %d, with neither a token nor a refusal", code)}
}

// tokenTransport keeps an exchange at the token server: a redirect elsewhere would take a refresh token along. It
// remembers what the library does not tell.
type tokenTransport struct {
	origin     string
	inner      http.RoundTripper
	retryAfter time.Duration
	err        error
}

// RoundTrip implements http.RoundTripper for the requests of one exchange, which come one after another.
func (t *tokenTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.roundTrip(r)
	t.err = err
	if err != nil {
		return nil, err
	}
	t.retryAfter = parseRetryAfter(resp.Header.Get("Retry-After"), time.Now())
	resp.Body = &tokenBody{ReadCloser: resp.Body, transport: t}
	return resp, nil
}

// tokenBody remembers that the answer broke off, which is another thing than an answer without a token.
type tokenBody struct {
	io.ReadCloser
	transport *tokenTransport
}

func (b *tokenBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		b.transport.err = err
	}
	return n, err
}

func (t *tokenTransport) roundTrip(r *http.Request) (*http.Response, error) {
	if originOf(r.URL) != t.origin {
		return nil, invalidResponse(r, "the token server leads to another host")
	}
	r = r.Clone(context.WithValue(r.Context(), askedKey{}, distspec.Request{}))
	r.Header.Set("User-Agent", userAgent)
	r.Header.Set("Accept-Encoding", "identity")
	return t.inner.RoundTrip(r)
}
