package pullthrough_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/store"
)

// lockedStore has each fill with another process.
type lockedStore struct{ store.Store }

func (lockedStore) Partial(context.Context, digest.Digest, int64) (store.Partial, error) {
	return nil, store.ErrLocked
}

// TestRangesAtTheEndOfAColdBlob asks each of a blob that nobody has asked for before (RFC 9110, section 14.2).
func TestRangesAtTheEndOfAColdBlob(t *testing.T) {
	const size = 2 * step
	cases := map[string]struct {
		bytes string
		first int // of the bytes wanted; -1 for none of them
	}{
		"begins at the end":            {fmt.Sprintf("%d-", size), -1},
		"begins behind the end":        {fmt.Sprintf("%d-", size+1), -1},
		"lies behind the end":          {fmt.Sprintf("%d-%d", size, size+99), -1},
		"begins behind all numbers":    {"99999999999999999999-", -1},
		"is the last 0 bytes":          {"-0", -1},
		"is the last byte":             {"-1", size - 1},
		"is a suffix of the whole":     {fmt.Sprintf("-%d", size), 0},
		"is a suffix longer than that": {fmt.Sprintf("-%d", size+1), 0},
		"ends behind the end":          {fmt.Sprintf("%d-%d", size-1, size+99), size - 1},
		"is the whole and more":        {fmt.Sprintf("0-%d", size), 0},
	}
	ways := map[string]setup{
		"kept":                       {},
		"kept, in segments":          {segments: segments},
		"not kept, for want of room": {full: func() {}, wrap: func(s store.Store) store.Store { return fullStore{s, 0} }},
		"kept by another process":    {wrap: func(s store.Store) store.Store { return lockedStore{s} }},
	}
	for how, way := range ways {
		for name, tc := range cases {
			t.Run(how+", "+name, func(t *testing.T) {
				o := newOrigin(t)
				img := o.pushImage(t, "team/app", "1", size)
				way.upstreams = []string{o.URL}
				r := start(t, way)
				r.get(t, "team/app/manifests/1").want(t, 200, img.body)
				path := "team/app/blobs/" + img.layer.String()
				got := r.get(t, path, "Range", "bytes="+tc.bytes)
				if tc.first < 0 {
					wantRange(t, got, 416, fmt.Sprintf("bytes */%d", size), nil)
				} else {
					wantRange(t, got, 206, fmt.Sprintf("bytes %d-%d/%d", tc.first, size-1, size), img.content[tc.first:])
				}
				r.get(t, path).want(t, 200, img.content)
			})
		}
	}
}

func wantRange(t *testing.T, got reply, status int, contentRange string, body []byte) {
	t.Helper()
	got.want(t, status, body)
	if said := got.Header.Get("Content-Range"); said != contentRange {
		t.Errorf("Content-Range: got %q, want %q", said, contentRange)
	}
	if status == 416 && !strings.Contains(string(got.body), `"RANGE_INVALID"`) {
		t.Errorf("the refusal says %s", got.body)
	}
}

// An empty blob has no part: a range of it is the whole.
func TestRangesOfAnEmptyColdBlob(t *testing.T) {
	for _, bytes := range []string{"0-", "0-0", "-1"} {
		o := newOrigin(t)
		d := o.pushBlob(t, "team/app", nil)
		r := start(t, setup{upstreams: []string{o.URL}})
		wantRange(t, r.get(t, "team/app/blobs/"+d.String(), "Range", "bytes="+bytes), 200, "", []byte{})
	}
}
