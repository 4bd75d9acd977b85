package upstream

import (
	"net/http"
	"net/url"
)

// maxRedirects is the most redirects that one request follows, as browsers and net/http have it.
const maxRedirects = 10

// follower follows redirects by itself, because net/http's client puts the Location, which may be a signed URL, into
// its errors, and the previous one into Referer.
type follower struct {
	guard *guard
	inner http.RoundTripper
}

// do sends a request of no body, and returns the first answer that is no redirect.
func (f *follower) do(r *http.Request) (*http.Response, error) {
	for range maxRedirects + 1 {
		resp, err := f.inner.RoundTrip(r)
		if err != nil {
			return nil, transportError(r, err)
		}
		if !isRedirect(resp) {
			return resp, nil
		}
		next, err := f.next(r, resp)
		discard(resp)
		if err != nil {
			return nil, err
		}
		r = next
	}
	return nil, invalidResponse(r, "it is one of more than %d redirects", maxRedirects)
}

// next is the request that a redirect asks for. It holds what r holds, and r never holds Authorization, which is
// put on behind the follower and for the upstream alone.
func (f *follower) next(r *http.Request, resp *http.Response) (*http.Request, error) {
	to, err := r.URL.Parse(resp.Header.Get("Location"))
	if err != nil {
		return nil, invalidResponse(r, "it leads to a malformed address")
	}
	if err := f.guard.checkRedirect(r.URL, to); err != nil {
		return nil, invalidResponse(r, "%v", err)
	}
	next := r.Clone(r.Context())
	next.URL = &url.URL{Scheme: to.Scheme, Host: to.Host, Path: to.Path, RawPath: to.RawPath, RawQuery: to.RawQuery}
	next.Host = ""
	return next, nil
}

func isRedirect(resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return resp.Header.Get("Location") != ""
	default:
		return false
	}
}
