package upstream

import (
	"net/http"
	"time"
)

// authTransport puts credentials on requests to the upstream itself and meets its challenges. Requests to other hosts
// never carry any of it.
type authTransport struct {
	guard *guard
	auth  *authorizer
	inner http.RoundTripper
}

// RoundTrip implements http.RoundTripper for requests without a body.
func (t *authTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if !t.guard.isUpstream(r.URL) {
		return t.foreign(r)
	}
	began := time.Now()
	used, err := t.auth.authorize(r.Context(), repositoryOf(r.Context()))
	if err != nil {
		return nil, err
	}
	resp, err := t.inner.RoundTrip(used.apply(r))
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		return resp, err
	}
	return t.challenged(r, resp, used, began)
}

// challenged tries once more with a new credential, where there is one.
func (t *authTransport) challenged(r *http.Request, resp *http.Response, used credential, began time.Time) (*http.Response, error) {
	repository := repositoryOf(r.Context())
	c, known := parseChallenge(r, resp.Header)
	if !known {
		t.auth.forget(repository, used)
		return resp, nil
	}
	next, more, err := t.auth.renew(r.Context(), repository, c, used, began)
	if err != nil {
		discard(resp)
		return nil, err
	}
	if !more {
		t.auth.forget(repository, used)
		return resp, nil
	}
	discard(resp)
	resp, err = t.inner.RoundTrip(next.apply(r))
	if err == nil && resp.StatusCode == http.StatusUnauthorized {
		t.auth.forget(repository, next)
	}
	return resp, err
}
