package distspec

import (
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPage(t *testing.T) {
	tags := SortTags([]string{"b", "A", "c", "a", "b", "v10", "v2"})
	if diff := cmp.Diff([]string{"A", "a", "b", "c", "v10", "v2"}, tags); diff != "" {
		t.Fatalf("sorted (-want +got):\n%s", diff)
	}
	tests := map[string]struct {
		query string
		want  []string
		next  string
	}{
		"everything":            {"", tags, ""},
		"nothing":               {"n=0", []string{}, ""},
		"nothing after a tag":   {"n=0&last=a", []string{}, ""},
		"the first":             {"n=1", []string{"A"}, "last=A&n=1"},
		"after capitals":        {"n=1&last=A", []string{"a"}, "last=a&n=1"},
		"exactly the rest":      {"n=2&last=c", []string{"v10", "v2"}, ""},
		"after what is missing": {"n=9&last=bb", []string{"c", "v10", "v2"}, ""},
		"after the end":         {"last=zz", []string{}, ""},
	}
	for name, tc := range tests {
		values, err := url.ParseQuery(tc.query)
		if err != nil {
			t.Fatal(err)
		}
		p, err := ParsePage(values)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		page, next := p.Of(tags)
		if diff := cmp.Diff(tc.want, page); diff != "" || next != tc.next {
			t.Errorf("%s: next %q, want %q; page (-want +got):\n%s", name, next, tc.next, diff)
		}
	}
}

func TestParsePageRefusesWhatIsNoNumber(t *testing.T) {
	for _, n := range []string{"", "-1", "x", "1.5", "99999999999999"} {
		if _, err := ParsePage(url.Values{"n": {n}}); err == nil {
			t.Errorf("n=%q is taken", n)
		}
	}
}

func TestReferrersTagIsNoLongerThanATagMayBe(t *testing.T) {
	for digest, want := range map[string]string{
		"sha256:" + sha256Hex: "sha256-" + sha256Hex,
		"sha512:" + sha512Hex: "sha512-" + sha512Hex[:64],
	} {
		d, err := ParseDigest(digest)
		if err != nil {
			t.Fatal(err)
		}
		if got := ReferrersTag(DigestReference(d)).Tag(); got != want || !ValidTag(got) {
			t.Errorf("%s: got %q, want %q", digest, got, want)
		}
	}
}
