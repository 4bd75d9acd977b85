package upstream

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"

	"github.com/registryhub/registryhub/proxy/distspec"
)

// MaxTagListSize is the most bytes of one page of tags.
const MaxTagListSize = 8 << 20

// TagList is one page of a repository's tags.
type TagList struct {
	// Tags in the upstream's order; never nil. What is no tag by the grammar is left out.
	Tags []string
	// Next is the query that the next page is asked for with; empty on the last page.
	Next string
}

// Tags fetches a page of tags: the first for an empty query, the following ones each for its TagList.Next.
func (c *Client) Tags(ctx context.Context, repository, query string) (TagList, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeouts.Document)
	defer cancel()
	what := request{
		Request: distspec.Request{Kind: distspec.KindTags, Repository: repository},
		query:   query,
		accept:  "application/json",
	}
	resp, err := c.send(ctx, http.MethodGet, what, http.StatusOK)
	if err != nil {
		return TagList{}, err
	}
	defer discard(resp)
	content, err := readAll(resp, MaxTagListSize)
	if err != nil {
		return TagList{}, err
	}
	var list struct {
		Tags []string `json:"tags"`
	}
	if json.Unmarshal(content, &list) != nil {
		return TagList{}, invalidResponse(resp.Request, "it is no list of tags")
	}
	tags := slices.DeleteFunc(list.Tags, func(tag string) bool { return !distspec.ValidTag(tag) })
	return TagList{Tags: append([]string{}, tags...), Next: distspec.NextPage(resp.Header.Get("Link"))}, nil
}
