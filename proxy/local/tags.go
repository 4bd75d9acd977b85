package local

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/registryhub/registryhub/proxy/answer"
	"github.com/registryhub/registryhub/proxy/distspec"
	"github.com/registryhub/registryhub/proxy/store"
)

// tagsList is the answer of the API.
type tagsList struct {
	Name string   `json:"name"`
	Tags []string `json:"tags"`
}

// serveTags lists the tags of a repository that has something, or had.
func (c call) serveTags() error {
	page, err := distspec.ParsePage(c.r.URL.Query())
	if err != nil {
		return err
	}
	names, err := c.tags()
	if errors.Is(err, store.ErrNotFound) {
		return &distspec.Error{Status: http.StatusNotFound, Code: distspec.CodeNameUnknown, Message: "the registry has no such repository", Err: err}
	}
	if err != nil {
		return err
	}
	list, next := page.Of(distspec.SortTags(names))
	if next != "" {
		c.w.Header().Set("Link", distspec.NextLink(c.Repository, next))
	}
	body, err := json.Marshal(tagsList{Name: c.Repository, Tags: list})
	if err != nil {
		return err
	}
	return answer.Body(c.w, c.r, "application/json", body)
}

func (c call) tags() ([]string, error) {
	if c.writable == nil {
		return nil, store.ErrNotFound
	}
	ctx := c.r.Context()
	known, err := c.writable.Has(ctx, c.repository)
	if err == nil && !known {
		err = store.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return c.writable.TagNames(ctx, c.repository)
}
