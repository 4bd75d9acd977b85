package pullthrough

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/registryhub/registryhub/proxy/distspec"
	"github.com/registryhub/registryhub/proxy/rules"
	"github.com/registryhub/registryhub/proxy/upstream"
)

const (
	// tagsFor is how long a tags list is believed: long enough for who reads it page by page, and short enough for who
	// waits for a tag. Tags that are believed for less make it less.
	tagsFor = 10 * time.Second
	// maxTagPages and maxTagBytes bound what one list can cost, and leave room for the rest of the document below
	// what is read from the store at once. Beyond them the upstream must be asked itself.
	maxTagPages = 256
	maxTagBytes = upstream.MaxManifestSize - 1024
)

// tagsList is the specification's answer. It is kept whole, and served in the pages that clients ask for.
type tagsList struct {
	Name string   `json:"name"`
	Tags []string `json:"tags"`
}

// serveTags answers a page of the tags. No name is derived for it.
func (m *Mirror) serveTags(w http.ResponseWriter, r *http.Request, q query) error {
	page, err := distspec.ParsePage(r.URL.Query())
	if err != nil {
		return err
	}
	belief := min(rules.Belief(tagsFor), q.Tags.Otherwise())
	one, err := m.current(r.Context(), m.namedList(q, "tags", belief, m.fetchTags))
	if err != nil {
		return err
	}
	m.Metrics.Lookup("tags", one.lookup)
	warnIfStale(w.Header(), one.lookup)
	if page.Size < 0 && page.After == "" {
		return m.sendWhole(w, r, "application/json", one)
	}
	return m.sendDerived(w, r, "application/json", one, func(document []byte) ([]byte, error) {
		body, next, err := pageOf(document, page)
		if next != "" {
			w.Header().Set("Link", distspec.NextLink(q.Repository, next+q.namespaceQuery()))
		}
		return body, err
	})
}

func pageOf(document []byte, page distspec.Page) (body []byte, next string, err error) {
	var list tagsList
	if err := json.Unmarshal(document, &list); err != nil {
		return nil, "", fmt.Errorf("reading a tags list of the store: %w", err)
	}
	list.Tags, next = page.Of(list.Tags)
	body, err = json.Marshal(list)
	return body, next, err
}

// fetchTags reads all pages of one upstream.
func (m *Mirror) fetchTags(ctx context.Context, q query) (list, error) {
	return ask(ctx, q.host.Upstreams, func(u *upstream.Client) (list, error) {
		tags, err := m.allTags(ctx, u, q.Repository)
		if err != nil {
			return list{}, err
		}
		document, err := json.Marshal(tagsList{Name: q.Repository, Tags: distspec.SortTags(tags)})
		return list{document: document, mediaType: "application/json", upstream: u.Name(), effective: q.Repository}, err
	})
}

var errTooManyTags = errors.New("the repository has more tags than this hub lists")

func (m *Mirror) allTags(ctx context.Context, u *upstream.Client, repository string) ([]string, error) {
	tags, size, next := []string{}, 0, ""
	for range maxTagPages {
		page, err := u.Tags(ctx, repository, next)
		if m.counted(u, "tags", err) != nil {
			return nil, err
		}
		for _, tag := range page.Tags {
			size += len(tag) + len(`"",`)
		}
		if size > maxTagBytes {
			break
		}
		tags = append(tags, page.Tags...)
		if page.Next == "" {
			return tags, nil
		}
		next = page.Next
	}
	return nil, errTooManyTags
}

// namespaceQuery leads the next page to the same host.
func (q query) namespaceQuery() string {
	if q.namespace == "" {
		return ""
	}
	return "&ns=" + url.QueryEscape(q.namespace)
}
