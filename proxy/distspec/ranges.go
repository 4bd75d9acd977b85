package distspec

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
)

// Range is a piece of an object in bytes, both ends included.
type Range struct {
	First, Last int64
}

// Length is the number of bytes.
func (r Range) Length() int64 { return r.Last - r.First + 1 }

// ContentRange is the Content-Range header of a 206 for an object of size bytes (RFC 9110, section 14.4).
func (r Range) ContentRange(size int64) string {
	return fmt.Sprintf("bytes %d-%d/%d", r.First, r.Last, size)
}

// ParseRange reads a Range header for an object of size bytes (RFC 9110, section 14.2). partial is false when the
// whole object is to be sent with 200: there is no header, it is malformed, its unit is not bytes, or it asks for
// several ranges, which a server may ignore and no container runtime sends. So is it for an empty object, of
// which there is no part (as net/http does).
//
// A range that begins at or beyond the end, or ends before it begins, is *Error 416 with Content-Range.
func ParseRange(header string, size int64) (r Range, partial bool, err error) {
	unit, set, found := strings.Cut(header, "=")
	if !found || !strings.EqualFold(strings.TrimSpace(unit), "bytes") || size <= 0 || strings.Contains(set, ",") {
		return Range{}, false, nil
	}
	first, last, found := strings.Cut(strings.Trim(set, " \t"), "-")
	if !found {
		return Range{}, false, nil
	}
	if first == "" {
		return suffix(last, size)
	}
	return between(first, last, size)
}

// suffix is the last n bytes; the last 0 bytes cannot be satisfied.
func suffix(digits string, size int64) (Range, bool, error) {
	n, ok := parsePosition(digits)
	switch {
	case !ok:
		return Range{}, false, nil
	case n == 0:
		return Range{}, false, unsatisfiable(size)
	}
	return Range{First: max(0, size-n), Last: size - 1}, true, nil
}

func between(first, last string, size int64) (Range, bool, error) {
	r := Range{Last: math.MaxInt64}
	var ok bool
	if r.First, ok = parsePosition(first); !ok {
		return Range{}, false, nil
	}
	if last != "" {
		if r.Last, ok = parsePosition(last); !ok {
			return Range{}, false, nil
		}
	}
	if r.First >= size || r.Last < r.First {
		return Range{}, false, unsatisfiable(size)
	}
	r.Last = min(r.Last, size-1)
	return r, true, nil
}

// parsePosition reads digits. What does not fit counts as beyond every end.
func parsePosition(digits string) (int64, bool) {
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return math.MaxInt64, true
	}
	return n, true
}

func unsatisfiable(size int64) error {
	e := NewError(http.StatusRequestedRangeNotSatisfiable, CodeRangeInvalid, "the range holds no byte of the object")
	e.ContentRange = fmt.Sprintf("bytes */%d", size)
	return e
}

// ParseContentRange reads the Content-Range of a 206. size is -1 when the sender does not know it ("*").
func ParseContentRange(header string) (r Range, size int64, err error) {
	unit, rest, _ := strings.Cut(header, " ")
	span, total, _ := strings.Cut(rest, "/")
	r, spanOK := parseSpan(span)
	size, sizeOK := parseTotal(total)
	if !strings.EqualFold(unit, "bytes") || !spanOK || !sizeOK || (size >= 0 && r.Last >= size) {
		return Range{}, 0, fmt.Errorf("reading Content-Range: %.80q is not like bytes 0-9/10", header)
	}
	return r, size, nil
}

func parseSpan(span string) (Range, bool) {
	first, last, _ := strings.Cut(span, "-")
	from, fromOK := parsePosition(first)
	to, toOK := parsePosition(last)
	return Range{First: from, Last: to}, fromOK && toOK && from <= to && to < math.MaxInt64
}

func parseTotal(total string) (int64, bool) {
	if total == "*" {
		return -1, true
	}
	return parsePosition(total)
}
