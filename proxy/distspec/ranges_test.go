package distspec

import (
	"errors"
	"net/http"
	"testing"

	"pgregory.net/rapid"
)

func TestParseRange(t *testing.T) {
	whole := Range{}
	tests := map[string]struct {
		header      string
		size        int64
		want        Range
		wantPartial bool
		wantRefused bool
	}{
		"no header":                           {"", 10, whole, false, false},
		"the first byte":                      {"bytes=0-0", 10, Range{0, 0}, true, false},
		"a middle":                            {"bytes=2-5", 10, Range{2, 5}, true, false},
		"from a byte on":                      {"bytes=4-", 10, Range{4, 9}, true, false},
		"from the first byte on":              {"bytes=0-", 10, Range{0, 9}, true, false},
		"the last bytes":                      {"bytes=-3", 10, Range{7, 9}, true, false},
		"more last bytes than there are":      {"bytes=-30", 10, Range{0, 9}, true, false},
		"an end beyond the end":               {"bytes=5-100", 10, Range{5, 9}, true, false},
		"an end beyond every number":          {"bytes=5-99999999999999999999", 10, Range{5, 9}, true, false},
		"another case of the unit":            {"Bytes=1-2", 10, Range{1, 2}, true, false},
		"space around the range":              {"bytes= 1-2 ", 10, Range{1, 2}, true, false},
		"another unit":                        {"items=0-1", 10, whole, false, false},
		"no unit":                             {"0-1", 10, whole, false, false},
		"an end before the beginning":         {"bytes=5-2", 10, whole, false, true},
		"no number":                           {"bytes=-", 10, whole, false, false},
		"no dash":                             {"bytes=5", 10, whole, false, false},
		"a sign":                              {"bytes=+1-2", 10, whole, false, false},
		"letters":                             {"bytes=a-b", 10, whole, false, false},
		"several ranges":                      {"bytes=0-1,4-5", 10, whole, false, false},
		"an empty object":                     {"bytes=0-", 0, whole, false, false},
		"the last bytes of an empty object":   {"bytes=-5", 0, whole, false, false},
		"a beginning at the end":              {"bytes=10-", 10, whole, false, true},
		"a beginning beyond the end":          {"bytes=11-20", 10, whole, false, true},
		"a beginning beyond every number":     {"bytes=99999999999999999999-", 10, whole, false, true},
		"the last none bytes":                 {"bytes=-0", 10, whole, false, true},
		"a whole object as a range":           {"bytes=0-9", 10, Range{0, 9}, true, false},
		"a range that spans every number":     {"bytes=0-9223372036854775807", 10, Range{0, 9}, true, false},
		"a beginning that is no position":     {"bytes=1 -2", 10, whole, false, false},
		"a third position":                    {"bytes=1-2-3", 10, whole, false, false},
		"the last bytes with another dash":    {"bytes=--3", 10, whole, false, false},
		"a beginning of one byte before it":   {"bytes=9-", 10, Range{9, 9}, true, false},
		"the same position for both":          {"bytes=9-9", 10, Range{9, 9}, true, false},
		"a range with nothing after its unit": {"bytes=", 10, whole, false, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got, partial, err := ParseRange(tc.header, tc.size)
			if got != tc.want || partial != tc.wantPartial {
				t.Errorf("got %+v, partial %v; want %+v, partial %v", got, partial, tc.want, tc.wantPartial)
			}
			checkRefused(t, err, tc.wantRefused)
		})
	}
}

func checkRefused(t *testing.T, err error, want bool) {
	t.Helper()
	e, refused := errors.AsType[*Error](err)
	if refused != want {
		t.Fatalf("got the error %v", err)
	}
	if refused && (e.Status != http.StatusRequestedRangeNotSatisfiable || e.ContentRange != "bytes */10") {
		t.Errorf("got %d and Content-Range %q", e.Status, e.ContentRange)
	}
}

// Property: a Content-Range that is written is read again as the same.
func TestParseContentRangeReadsWhatContentRangeWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.Int64Range(1, 1<<50).Draw(t, "size")
		first := rapid.Int64Range(0, size-1).Draw(t, "first")
		want := Range{First: first, Last: rapid.Int64Range(first, size-1).Draw(t, "last")}
		got, gotSize, err := ParseContentRange(want.ContentRange(size))
		if err != nil || got != want || gotSize != size {
			t.Fatalf("got %+v of %d, %v", got, gotSize, err)
		}
	})
}

func TestParseContentRange(t *testing.T) {
	if r, size, err := ParseContentRange("bytes 0-9/*"); err != nil || size != -1 || r.Length() != 10 {
		t.Errorf("got %+v of %d, %v; want ten bytes of an unknown size", r, size, err)
	}
	for _, header := range []string{"", "bytes", "bytes */10", "bytes 0-9", "bytes 5-2/10", "bytes 0-10/10", "items 0-1/2", "bytes 0-9223372036854775807/*", "bytes a-b/c", "bytes 0-1/-1"} {
		if r, size, err := ParseContentRange(header); err == nil {
			t.Errorf("%q: got %+v of %d, want an error", header, r, size)
		}
	}
}
