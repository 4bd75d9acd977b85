package distspec

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Page is which part of a tags list is wanted ("Listing Tags").
type Page struct {
	// Size is the most tags of the page; negative is no limit.
	Size int
	// After is the tag after which the page begins, exclusively. It need not exist; "" is the beginning.
	After string
}

// ParsePage reads n and last of a query. An n that is no number from 0 up is *Error 400 UNSUPPORTED.
func ParsePage(query url.Values) (Page, error) {
	p := Page{Size: -1, After: query.Get("last")}
	if !query.Has("n") {
		return p, nil
	}
	size, err := strconv.ParseUint(query.Get("n"), 10, 31)
	if err != nil {
		return Page{}, NewError(http.StatusBadRequest, CodeUnsupported, "the query's n is not a number of tags")
	}
	p.Size = int(size)
	return p, nil
}

// SortTags sorts in the specification's order, which does not tell capitals from small letters; tags that differ in
// nothing else are in the order of their bytes. What is there twice is there once afterwards.
func SortTags(tags []string) []string {
	slices.SortFunc(tags, compareTags)
	return slices.Compact(tags)
}

func compareTags(a, b string) int {
	return cmp.Or(strings.Compare(strings.ToLower(a), strings.ToLower(b)), strings.Compare(a, b))
}

// Of is that page of sorted tags, never nil, and the page query of the next one; "" when there is none.
func (p Page) Of(tags []string) (page []string, next string) {
	if p.After != "" {
		begin, found := slices.BinarySearchFunc(tags, p.After, compareTags)
		if found {
			begin++
		}
		tags = tags[begin:]
	}
	if p.Size < 0 || p.Size >= len(tags) {
		return append([]string{}, tags...), ""
	}
	if p.Size == 0 {
		return []string{}, ""
	}
	page = tags[:p.Size]
	return page, p.after(page[p.Size-1])
}

// maxReferrersPage is the most bytes of descriptors on a page, so that it is never more than a manifest may have.
const maxReferrersPage = MaxManifestSize - 1<<10

// OfReferrers is that page of descriptors, which must be sorted by digest, and the page query of the next one; "" when there
// is none. A page ends, too, where it would be larger than a manifest.
func (p Page) OfReferrers(all Referrers) (page Referrers, next string) {
	size, last := 0, ""
	for _, raw := range all {
		var one referrer
		if json.Unmarshal(raw, &one) != nil || one.Digest <= p.After {
			continue
		}
		if len(page) == p.Size || len(page) > 0 && size+len(raw) > maxReferrersPage {
			return page, p.after(last)
		}
		page, size, last = append(page, raw), size+len(raw)+1, one.Digest
	}
	return page, ""
}

// after is the query of the page behind something.
func (p Page) after(last string) string {
	if last == "" {
		return "" // a page of nothing has no next one
	}
	query := url.Values{"last": {last}}
	if p.Size >= 0 {
		query.Set("n", strconv.Itoa(p.Size))
	}
	return query.Encode()
}
