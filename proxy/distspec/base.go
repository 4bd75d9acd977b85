package distspec

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Base is an upstream's address: scheme, host and repository prefix.
type Base struct {
	scheme, host, prefix string
}

// ParseBase reads an upstream's URL: http or https, a host, and a path that is the repository prefix on that
// upstream (slashes at its ends do not count). User information, a query and a fragment are refused. The error
// never holds the URL, which might hold a password.
func ParseBase(raw string) (Base, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https"):
		return Base{}, errors.New("reading the upstream's URL: not an absolute http or https URL: write it like https://registry-1.docker.io")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return Base{}, errors.New("reading the upstream's URL: it must hold no user information, query or fragment")
	}
	prefix := strings.Trim(u.EscapedPath(), "/")
	if prefix != "" && !ValidRepository(prefix) {
		return Base{}, fmt.Errorf("reading the upstream's URL: its path %q is not a repository prefix: write lower-case segments such as /team/mirror", prefix)
	}
	return Base{scheme: u.Scheme, host: strings.ToLower(u.Host), prefix: prefix}, nil
}

// Scheme is http or https.
func (b Base) Scheme() string { return b.scheme }

// Host is the host, with its port where the URL has one, in lower case.
func (b Base) Host() string { return b.host }

// Prefix is the repository prefix, without slashes at its ends; empty when there is none.
func (b Base) Prefix() string { return b.prefix }

// Repository is the name that the repository has on the upstream: behind the prefix.
func (b Base) Repository(repository string) string {
	if b.prefix == "" {
		return repository
	}
	return b.prefix + "/" + repository
}

// URL is where the upstream answers the request. The request's repository is the name before the prefix.
func (b Base) URL(request Request, rawQuery string) *url.URL {
	if request.Kind != KindBase {
		request.Repository = b.Repository(request.Repository)
	}
	return &url.URL{Scheme: b.scheme, Host: b.host, Path: BuildPath(request), RawQuery: rawQuery}
}
