package upstream

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/distspec"
)

// maxReferrersPages bounds what following pages can cost; MaxManifestSize bounds all of them together.
const maxReferrersPages = 64

// NoReferrersError says that the upstream does not know the referrers API: ask for its tag schema.
type NoReferrersError struct {
	// Err is how it said so: *StatusError or *InvalidResponseError.
	Err error
}

// Error says how the upstream said so.
func (e *NoReferrersError) Error() string { return fmt.Sprintf("no referrers API: %v", e.Err) }

// Unwrap is how the upstream said so.
func (e *NoReferrersError) Unwrap() error { return e.Err }

// Referrers are what refers to a manifest, as the upstream's API says, from all its pages. An upstream that answers the
// first page with a status that means that it does not know the end point, or with what is no index, is
// *NoReferrersError. More than MaxManifestSize or 64 pages is *InvalidResponseError.
func (c *Client) Referrers(ctx context.Context, repository string, subject digest.Digest) (distspec.Referrers, error) {
	var all distspec.Referrers
	room, query := int64(MaxManifestSize), ""
	for range maxReferrersPages {
		page, err := c.referrersPage(ctx, repository, subject, query, room)
		if err != nil && query == "" {
			return nil, noReferrers(err)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, page.referrers...)
		if page.next == "" {
			return all, nil
		}
		room, query = room-page.size, page.next
	}
	return nil, &InvalidResponseError{
		Where:  Where{Method: http.MethodGet, Host: c.base.Host()},
		Reason: fmt.Sprintf("the referrers of %s have more than %d pages", subject, maxReferrersPages),
	}
}

type referrersPage struct {
	referrers distspec.Referrers
	size      int64
	next      string
}

func (c *Client) referrersPage(ctx context.Context, repository string, subject digest.Digest, query string, room int64) (referrersPage, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeouts.Document)
	defer cancel()
	what := request{
		Request: distspec.Request{Kind: distspec.KindReferrers, Repository: repository, Reference: distspec.DigestReference(subject)},
		query:   query,
		accept:  distspec.MediaTypeIndex,
	}
	resp, err := c.send(ctx, http.MethodGet, what, http.StatusOK)
	if err != nil {
		return referrersPage{}, err
	}
	defer discard(resp)
	content, err := readAll(resp, room)
	if err != nil {
		return referrersPage{}, err
	}
	list, err := distspec.ParseReferrers(content)
	if err != nil {
		return referrersPage{}, &NoReferrersError{Err: invalidResponse(resp.Request, "%v", err)}
	}
	return referrersPage{referrers: list, size: int64(len(content)), next: distspec.NextPage(resp.Header.Get("Link"))}, nil
}

// noReferrers recognizes the answers of registries that do not know the end point. Some take its digest for a part of a
// repository's name, and refuse that.
func noReferrers(err error) error {
	means := []int{http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotAcceptable, http.StatusGone}
	if slices.Contains(means, Status(err)) {
		return &NoReferrersError{Err: err}
	}
	return err
}
