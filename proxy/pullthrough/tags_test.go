package pullthrough_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// pagedTags answers the tags list of team/app in pages, by a word of the registry's own.
func pagedTags(pages ...[]string) fault {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		page := 0
		_, _ = fmt.Sscanf(r.URL.Query().Get("next_page"), "p%d", &page)
		if page+1 < len(pages) {
			w.Header().Set("Link", fmt.Sprintf(`<%s?next_page=p%d>; rel="next"`, r.URL.Path, page+1))
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"name": "team/app", "tags": pages[page]})
	}
}

func tagsOf(t *testing.T, r reply) []string {
	t.Helper()
	r.want(t, 200, nil)
	var list struct {
		Name string
		Tags []string
	}
	must(t, json.Unmarshal(r.body, &list))
	if list.Name != "team/app" || list.Tags == nil {
		t.Errorf("got %s, want a list of team/app", r.body)
	}
	return list.Tags
}

func TestTagsAreSortedAndServedInTheClientsPages(t *testing.T) {
	o := newOrigin(t)
	o.fail(pagedTags([]string{"v2", "Beta", "alpha"}, []string{"v10", "alpha", "not a tag"}, []string{}))
	r := start(t, setup{upstreams: []string{o.URL}})
	cases := map[string]struct {
		query string
		want  []string
		link  string
	}{
		"all":                         {"", []string{"alpha", "Beta", "v10", "v2"}, ""},
		"a page":                      {"?n=2", []string{"alpha", "Beta"}, `</v2/team/app/tags/list?last=Beta&n=2>; rel="next"`},
		"the next page":               {"?n=2&last=Beta", []string{"v10", "v2"}, ""},
		"a page of none":              {"?n=0", []string{}, ""},
		"a page larger than the list": {"?n=100", []string{"alpha", "Beta", "v10", "v2"}, ""},
		"after what is not there":     {"?last=c", []string{"v10", "v2"}, ""},
		"after the last":              {"?last=v2", []string{}, ""},
		"a page with its host":        {"?n=3&ns=registry.test", []string{"alpha", "Beta", "v10"}, `</v2/team/app/tags/list?last=v10&n=3&ns=registry.test>; rel="next"`},
	}
	for name, tc := range cases {
		got := r.get(t, "team/app/tags/list"+tc.query)
		if diff := cmp.Diff(tc.want, tagsOf(t, got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if link := got.Header.Get("Link"); link != tc.link {
			t.Errorf("%s: Link: got %q, want %q", name, link, tc.link)
		}
	}
	wantAsked(t, o, "GET team/app/tags/list", "GET team/app/tags/list", "GET team/app/tags/list")
}

func TestANewTagIsListedWithinTenSecondsAndStaleInTrouble(t *testing.T) {
	o := newOrigin(t)
	o.fail(pagedTags([]string{"1"}))
	before := start(t, setup{upstreams: []string{o.URL}})
	path := "team/app/tags/list"
	before.get(t, path).want(t, 200, nil)
	before.close()
	r := start(t, setup{dir: before.dir, upstreams: []string{o.URL}, clock: before.clock})
	o.fail(pagedTags([]string{"1", "2"}))
	r.clock.advance(10 * time.Second)
	if diff := cmp.Diff([]string{"1", "2"}, tagsOf(t, r.get(t, path))); diff != "" {
		t.Errorf("after ten seconds (-want +got):\n%s", diff)
	}

	r.clock.advance(30 * time.Minute)
	o.fail(status(503))
	stale := r.get(t, path+"?n=1")
	if diff := cmp.Diff([]string{"1"}, tagsOf(t, stale)); diff != "" {
		t.Errorf("in trouble (-want +got):\n%s", diff)
	}
	if !strings.HasPrefix(stale.Header.Get("Warning"), "299 ") {
		t.Errorf("Warning: got %q", stale.Header.Get("Warning"))
	}
	o.fail(status(403))
	r.get(t, path).want(t, 403, nil)
	o.fail(status(404))
	r.get(t, path).want(t, 404, nil)
	o.fail(status(503))
	r.clock.advance(10 * time.Second)
	r.get(t, path).want(t, 503, nil)
}

func TestTagsWithoutEndAreRefusedCleanly(t *testing.T) {
	o := newOrigin(t)
	o.fail(func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		w.Header().Set("Link", `<`+r.URL.Path+`?next_page=again>; rel="next"`)
		_, _ = w.Write([]byte(`{"tags":["1"]}`))
	})
	r := start(t, setup{upstreams: []string{o.URL}})
	r.get(t, "team/app/tags/list").want(t, 503, nil)
	if n := len(o.asked()); n != 256 {
		t.Errorf("the upstream was asked %d times, want 256", n)
	}
}
