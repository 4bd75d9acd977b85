package distspec

import (
	"errors"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// grammar is the specification's own expression, which the code has written out.
var grammar = regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`)

func FuzzValidRepository(f *testing.F) {
	for _, seed := range []string{"", "a", "library/alpine", "a.b", "a__b", "a___b", "a--b", "-a", "a-", "a/", "/a", "a//b", "..", "a/../b", "A", "a\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		want := len(name) <= MaxRepositoryLength && grammar.MatchString(name)
		if got := ValidRepository(name); got != want {
			t.Errorf("%q: got %v, the specification's expression says %v", name, got, want)
		}
	})
}

func FuzzParsePath(f *testing.F) {
	for _, seed := range []string{"", "/v2", "/v2/", "/v2/a/manifests/latest", "/v2/a/blobs/sha256:" + sha256Hex, "/v2/a/tags/list", "/v2/a/referrers/sha512:" + sha512Hex, "/v2/../manifests/x", "/v2/a%2fb/manifests/x", "/v2/a/manifests/manifests/manifests", "/v2/a/blobs/uploads/", "/v2/a/blobs/uploads/x-_0", "/v2//a/blobs/uploads"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, p string) {
		request, err := ParsePath(p)
		if err != nil {
			checkFuzzedError(t, err)
			return
		}
		again, err := ParsePath(BuildPath(request))
		if err != nil || again != request {
			t.Errorf("%q is read as %+v, whose path %q is read as %+v, %v", p, request, BuildPath(request), again, err)
		}
		if path.Clean("/"+request.Repository) != "/"+request.Repository {
			t.Errorf("%q has the repository %q, which is no clean path", p, request.Repository)
		}
	})
}

func checkFuzzedError(t *testing.T, err error) {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok || (e.Status != http.StatusBadRequest && e.Status != http.StatusNotFound) {
		t.Errorf("got %v, want 400 or 404", err)
	}
}

func FuzzParseReference(f *testing.F) {
	for _, seed := range []string{"", "latest", ".x", "sha256:" + sha256Hex, "sha512:" + sha512Hex, "sha256:", ":", "md5:00", "a/b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseReference(s)
		if err != nil {
			checkFuzzedError(t, err)
			return
		}
		if r.String() != s || (r.IsDigest() && r.Digest().Validate() != nil) || strings.ContainsAny(s, "/\\%\x00") {
			t.Errorf("%q is read as %q", s, r)
		}
	})
}

func FuzzParseRange(f *testing.F) {
	for _, seed := range []string{"", "bytes=0-", "bytes=-1", "bytes=5-2", "bytes=0-1,3-4", "bytes=99999999999999999999-", "items=1-2", "bytes=--"} {
		f.Add(seed, int64(10))
	}
	f.Fuzz(func(t *testing.T, header string, size int64) {
		r, partial, err := ParseRange(header, size)
		switch {
		case err != nil && partial:
			t.Error("an error beside a range")
		case partial && (r.First < 0 || r.Last < r.First || r.Last >= size || r.Length() <= 0):
			t.Errorf("%q of %d is read as %+v", header, size, r)
		}
	})
}

func FuzzParseContentRange(f *testing.F) {
	for _, seed := range []string{"", "bytes 0-9/10", "bytes 0-9/*", "bytes */10", "bytes 5-2/10", "bytes 0-9223372036854775807/*"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		r, size, err := ParseContentRange(header)
		if err == nil && (r.First < 0 || r.Length() <= 0 || size < -1 || (size >= 0 && r.Last >= size)) {
			t.Errorf("%q is read as %+v of %d", header, r, size)
		}
	})
}

func FuzzNamespace(f *testing.F) {
	for _, seed := range []string{"", "ns=docker.io", "ns=A:5000", "ns=[::1]:5000", "ns=a&ns=b", "ns=%zz", "ns=a/b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		host, err := Namespace(query)
		if err != nil {
			checkFuzzedError(t, err)
		}
		if host != strings.ToLower(host) || strings.ContainsAny(host, "/@?#% \r\n\\") {
			t.Errorf("%q is read as %q", query, host)
		}
	})
}

func FuzzNextPage(f *testing.F) {
	for _, seed := range []string{"", `</v2/a/tags/list?n=1>; rel="next"`, `<`, `<>; rel=next`, `<http://[::1?n=1>; rel="next"`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, link string) {
		next := NextPage(link)
		if strings.ContainsAny(next, " #\r\n") {
			t.Errorf("%q is read as %q, which is no query", link, next)
		}
	})
}

func FuzzParseReferrers(f *testing.F) {
	for _, seed := range []string{"", "{}", "null", `{"manifests":[]}`, `{"mediaType":"` + MediaTypeIndex + `","manifests":[null,1,{"mediaType":"a/b","digest":"sha256:` + sha256Hex + `","artifactType":"x"}]}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		list, err := ParseReferrers(body)
		if err != nil {
			return
		}
		encoded, err := list.Encode()
		if err != nil {
			t.Fatalf("%q does not encode: %v", body, err)
		}
		again, err := ParseReferrers(encoded)
		if err != nil || len(again) != len(list) {
			t.Errorf("%q is read as %d, and encoded as %q, which is read as %d, %v", body, len(list), encoded, len(again), err)
		}
	})
}

func FuzzParseManifest(f *testing.F) {
	one := `{"mediaType":"a/b","digest":"sha256:` + sha256Hex + `","size":1}`
	for _, contentType := range []string{"", MediaTypeManifest, MediaTypeIndex + "; charset=utf-8", "text/plain", ";"} {
		for _, body := range []string{
			"", "null", "[]", "{}", `{"schemaVersion":2}`, `{"schemaVersion":2,"config":` + one + `,"layers":[` + one + `],"subject":` + one + `}`,
			`{"schemaVersion":2,"manifests":[` + one + `]}`, `{"schemaVersion":2,"config":` + one + `,"manifests":[]}`, `{"schemaVersion":2,"manifests":[{"size":-1}]}`,
			`{"schemaVersion":2,"mediaType":"` + MediaTypeDockerList + `","manifests":null}`,
		} {
			f.Add(contentType, []byte(body))
		}
	}
	taken := []string{MediaTypeManifest, MediaTypeIndex, MediaTypeDockerManifest, MediaTypeDockerList}
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		m, err := ParseManifest(contentType, body)
		if err != nil {
			checkFuzzedError(t, err)
			return
		}
		isIndex := m.MediaType == MediaTypeIndex || m.MediaType == MediaTypeDockerList
		if !slices.Contains(taken, m.MediaType) || isIndex != (len(m.Blobs) == 0) || !isIndex && len(m.Manifests) > 0 {
			t.Errorf("%q, %q is read as %+v", contentType, body, m)
		}
		named := slices.Concat(m.Blobs, m.Manifests)
		if m.Subject != nil {
			named = append(named, *m.Subject)
		}
		for _, one := range named {
			if _, err := ParseDigest(one.Digest.String()); err != nil || one.Size < 0 {
				t.Errorf("%q names %+v: %v", body, one, err)
			}
		}
	})
}

func FuzzParsePage(f *testing.F) {
	for _, seed := range []string{"", "n=0", "n=1&last=b", "n=-1", "n=x", "last=Z"} {
		f.Add(seed)
	}
	tags := []string{"A", "a", "b", "v1"}
	f.Fuzz(func(t *testing.T, query string) {
		values, _ := url.ParseQuery(query)
		p, err := ParsePage(values)
		if err != nil {
			checkFuzzedError(t, err)
			return
		}
		if page, _ := p.Of(tags); page == nil || (p.Size >= 0 && len(page) > p.Size) {
			t.Errorf("%q gives %q", query, page)
		}
	})
}

func FuzzParseBase(f *testing.F) {
	for _, seed := range []string{"", "https://docker.io", "http://a:5000/p/q/", "https://u:p@h", "https://h/../x", "https://h/a%2fb"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		base, err := ParseBase(raw)
		if err != nil {
			return
		}
		u := base.URL(Request{Kind: KindTags, Repository: "a"}, "")
		if _, err := ParsePath(u.EscapedPath()); err != nil && len(base.Prefix()) < MaxRepositoryLength-2 {
			t.Errorf("%q makes %s: %v", raw, u, err)
		}
	})
}
