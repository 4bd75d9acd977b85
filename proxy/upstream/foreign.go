package upstream

import (
	"context"
	"net/http"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/registryhub/registryhub/proxy/distspec"
)

// foreign sends a request to where a redirect led. When that host is a registry too, and asks for a token, an
// anonymous one is fetched for this request alone, as containerd would do: registry.k8s.io, for one, leads to
// registries of its cloud's regions. Nothing of the upstream's authorization takes part in it.
func (t *authTransport) foreign(r *http.Request) (*http.Response, error) {
	resp, err := t.inner.RoundTrip(r)
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		return resp, err
	}
	anonymous, ok := t.anonymous(r, resp)
	if !ok {
		return resp, nil
	}
	discard(resp)
	return t.inner.RoundTrip(anonymous.apply(r))
}

// anonymous is a token for the one repository that the challenge names, if it names no more than that. The guards of
// both hosts must agree with the token server.
func (t *authTransport) anonymous(r *http.Request, resp *http.Response) (credential, bool) {
	c, known := parseChallenge(r, resp.Header)
	repository, ok := scopedRepository(c.scope)
	if !known || c.scheme != "bearer" || !ok || t.guard.checkRealmOf(c) != nil {
		return credential{}, false
	}
	ctx, cancel := context.WithTimeout(r.Context(), t.auth.timeout)
	defer cancel()
	server := &tokenServer{guard: newGuardOf(r.URL), source: noCredentials, inner: t.inner}
	made, err := server.exchange(ctx, repository, c.forRepository(repository))
	return made, err == nil
}

func noCredentials() (authn.AuthConfig, error) { return authn.AuthConfig{}, nil }

// scopedRepository is the repository of a scope to pull from one.
func scopedRepository(scope string) (string, bool) {
	repository, found := strings.CutPrefix(scope, "repository:")
	repository, pull := strings.CutSuffix(repository, ":pull")
	return repository, found && pull && distspec.ValidRepository(repository)
}
