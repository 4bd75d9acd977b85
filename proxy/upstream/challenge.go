package upstream

import (
	"io"
	"net/http"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// challenge is what a 401 asks for (RFC 9110, section 11.6.1). Challenges are comparable.
type challenge struct {
	scheme, realm, service, scope string
}

// cannedResponse answers every request with one answer that is there already.
type cannedResponse struct{ header http.Header }

func (c cannedResponse) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusUnauthorized, Header: c.header, Body: io.NopCloser(strings.NewReader("")), Request: r}, nil
}

// parseChallenge reads the challenge that can be met, Basic or Bearer; there may be others beside it. The library's
// parser has one door, its ping of /v2/: it is shown the answer that the real request got, which is also more exact
// than a ping, since repositories may be challenged differently.
func parseChallenge(r *http.Request, header http.Header) (challenge, bool) {
	registry, err := name.NewRegistry("challenge.invalid")
	if err != nil {
		return challenge{}, false
	}
	parsed, err := transport.Ping(r.Context(), registry, cannedResponse{header})
	if err != nil {
		return challenge{}, false
	}
	c := challenge{
		scheme:  strings.ToLower(parsed.Scheme),
		realm:   parsed.Parameters["realm"],
		service: parsed.Parameters["service"],
		scope:   parsed.Parameters["scope"],
	}
	return c, c.scheme == "basic" || (c.scheme == "bearer" && c.realm != "")
}

// forRepository keeps the challenge's scope only where it says more than the repository's name does: an upstream behind
// a proxy may know the repository by another name. It never widens what a token is asked for beyond pulling.
func (c challenge) forRepository(repository string) challenge {
	if c.scope == pullScope(repository) || !strings.HasSuffix(c.scope, ":pull") || strings.Contains(c.scope, " ") {
		c.scope = ""
	}
	return c
}

// scopes are what a token is asked for. What the upstream says comes first, because some token servers read the
// first scope alone.
func (c challenge) scopes(repository string) []string {
	if c.scope == "" {
		return []string{pullScope(repository)}
	}
	return []string{c.scope, pullScope(repository)}
}

// pullScope is distribution's scope to pull from a repository.
func pullScope(repository string) string { return "repository:" + repository + ":pull" }
