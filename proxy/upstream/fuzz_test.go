package upstream

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy/distspec"
)

func FuzzParseRetryAfter(f *testing.F) {
	for _, seed := range []string{"", "0", "7", "3601", "-1", "2147483648", "1e3", "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Fri, 31 Dec 9999 23:59:59 GMT"} {
		f.Add(seed)
	}
	now := time.Date(1994, time.November, 6, 8, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, value string) {
		wait := parseRetryAfter(value, now)
		if wait < 0 || wait > maxRetryAfter {
			t.Errorf("%q asks to wait %s", value, wait)
		}
		if later := parseRetryAfter(value, now.Add(time.Minute)); later > wait {
			t.Errorf("%q asks to wait %s, and a minute later %s", value, wait, later)
		}
	})
}

// endlessBody is a body that does not end, and counts what is read of it.
type endlessBody struct {
	begin io.Reader
	read  int
}

func (e *endlessBody) Read(p []byte) (int, error) {
	n, err := e.begin.Read(p)
	if err != nil {
		n = copy(p, bytes.Repeat([]byte(" "), len(p)))
	}
	e.read += n
	return n, nil
}

func FuzzErrorCode(f *testing.F) {
	for _, seed := range []string{
		"", "{}", "null", `{"errors":null}`, `{"errors":[]}`, `{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}`, `{"errors":[{"code":"denied\n"}]}`,
		`{"errors":[{"code":""},{"code":"DENIED"}]}`, `{"errors":[{"code":7}]}`, `<html>`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		from := &endlessBody{begin: bytes.NewReader(body)}
		if code := errorCode(from); len(code) > 64 || strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") != "" {
			t.Errorf("%q has the code %q", body, code)
		}
		if from.read > maxErrorBody {
			t.Errorf("%d bytes of a body were read", from.read)
		}
	})
}

func FuzzManifestMediaType(f *testing.F) {
	for _, contentType := range []string{"", "application/vnd.oci.image.index.v1+json", "Application/JSON; charset=utf-8", "text/plain", ";", "a/b/c", "a/\u00e9"} {
		for _, body := range []string{
			"", "null", "[]", "{}", `{"schemaVersion":2}`, `{"mediaType":"application/vnd.oci.image.manifest.v1+json"}`, `{"mediaType":"a/b\r\nX: y"}`,
			`{"schemaVersion":1,"mediaType":"text"}`, "<html>",
		} {
			f.Add(contentType, []byte(body))
		}
	}
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		resp := &http.Response{Header: http.Header{"Content-Type": {contentType}}}
		for _, got := range []string{headerMediaType(resp), manifestMediaType(resp, body)} {
			if !isMediaType(got) {
				t.Errorf("%q, %q is taken for %q", contentType, body, got)
			}
		}
		if looksLikeManifest(body) && (!json.Valid(body) || !bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{"))) {
			t.Errorf("%q is taken for a manifest", body)
		}
	})
}

// isMediaType reports whether s can be sent as a Content-Type, or is nothing.
func isMediaType(s string) bool {
	kind, of, found := strings.Cut(s, "/")
	outside := func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`/;,"\<>()`, r) }
	return s == "" || found && kind != "" && of != "" && len(s) < 256 && !strings.ContainsFunc(kind+of, outside)
}

func FuzzTags(f *testing.F) {
	for _, seed := range []string{"", "null", "[]", "{}", `{"tags":null}`, `{"name":"a","tags":["v1","v1"]}`, `{"tags":["..","a/b","","v1\n"]}`, `{"tags":[1]}`} {
		f.Add([]byte(seed), `</v2/a/tags/list?n=1&last=v1>; rel="next"`)
	}
	f.Add([]byte(`{"tags":[]}`), "<a b>; rel=next")
	var body []byte
	var link string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", link)
		_, _ = w.Write(body)
	}))
	f.Cleanup(server.Close)
	c, err := New(config.UpstreamConfiguration{Name: "origin", URL: server.URL}, Timeouts{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(c.Close)
	f.Fuzz(func(t *testing.T, content []byte, next string) {
		if len(next) > 1<<10 || strings.ContainsFunc(next, unicode.IsControl) {
			return // no header, which net/http sees to
		}
		body, link = content, next
		list, err := c.Tags(t.Context(), "a", "")
		if err != nil {
			if !IsInvalidResponse(err) {
				t.Errorf("%q: got %v, want that the answer is refused", content, err)
			}
			return
		}
		for _, tag := range list.Tags {
			if !distspec.ValidTag(tag) {
				t.Errorf("%q has the tag %q", content, tag)
			}
		}
		if list.Tags == nil || strings.ContainsAny(list.Next, " #\r\n") {
			t.Errorf("%q, %q is read as %+v", content, next, list)
		}
	})
}
