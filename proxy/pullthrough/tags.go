package pullthrough

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/registryhub/registryhub/proxy/distspec"
	"github.com/registryhub/registryhub/proxy/upstream"
)

// serveTags passes a page of the tags on. It is not kept, and no name is derived for it.
func (m *Mirror) serveTags(w http.ResponseWriter, r *http.Request, q query) error {
	ctx, cancel := context.WithTimeout(r.Context(), headersWithin)
	defer cancel()
	list, err := ask(ctx, q.host.Upstreams, func(u *upstream.Client) (upstream.TagList, error) {
		list, err := u.Tags(ctx, q.Repository, r.URL.RawQuery)
		return list, m.counted(u, "tags", err)
	})
	if err != nil {
		return asError(err, nameUnknown)
	}
	body, err := json.Marshal(map[string]any{"name": q.Repository, "tags": append([]string{}, list.Tags...)})
	if err != nil {
		return err
	}
	if list.Next != "" {
		w.Header().Set("Link", distspec.NextLink(q.Repository, list.Next+q.namespaceQuery()))
	}
	return writeBody(w, r, "application/json", body)
}

// namespaceQuery leads the next page to the same host.
func (q query) namespaceQuery() string {
	if q.namespace == "" {
		return ""
	}
	return "&ns=" + url.QueryEscape(q.namespace)
}

func nameUnknown(cause error) *distspec.Error {
	return &distspec.Error{Status: http.StatusNotFound, Code: distspec.CodeNameUnknown, Message: "the registry has no such repository", Err: cause}
}
