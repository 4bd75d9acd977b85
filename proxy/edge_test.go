package proxy_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/v1/random"
)

// head is a request of HTTP/1.1 without a body.
func head(line string, headers ...string) string {
	return line + " HTTP/1.1\r\nHost: hub\r\n" + strings.Join(append(headers, "\r\n"), "\r\n")
}

func TestWhateverIsAskedIsAnsweredByTheSpecification(t *testing.T) {
	o := newOrigin(t)
	img, err := random.Image(1000, 1)
	must(t, err)
	layer := o.push(t, "1", img).String()
	parent := t.TempDir()
	must(t, os.WriteFile(filepath.Join(parent, "secret"), []byte("secret"), 0o600))
	r := run(t, o.URL, filepath.Join(parent, "store"))
	blob := "GET /v2/library/app/blobs/" + layer
	long := strings.Repeat("a", 300)
	sha := "sha256:" + strings.Repeat("0", 64)
	cases := map[string]struct {
		request string
		status  int
		code    string
	}{
		"a base":                      {base, 200, ""},
		"HTTP/1.0":                    {"GET /v2/ HTTP/1.0\r\n\r\n", 200, ""},
		"an absolute URL":             {head("GET http://elsewhere/v2/"), 200, ""},
		"a blob":                      {head(blob), 200, ""},
		"a huge header":               {head("GET /v2/", "X: "+strings.Repeat("x", 100<<10)), 431, ""},
		"a huge URL":                  {head("GET /v2/" + strings.Repeat("a", 100<<10) + "/tags/list"), 431, ""},
		"a long URL":                  {head("GET /v2/" + strings.Repeat("a/", 5000) + "tags/list"), 400, "NAME_INVALID"},
		"a long query":                {head("GET /v2/library/app/manifests/1?x=" + strings.Repeat("a", 30<<10)), 200, ""},
		"no host":                     {"GET /v2/ HTTP/1.1\r\n\r\n", 400, ""},
		"two hosts":                   {"GET /v2/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, ""},
		"nonsense":                    {"nonsense\r\n\r\n", 400, ""},
		"a NUL":                       {head("GET /v2/a\x00b/tags/list"), 400, ""},
		"the preface of HTTP/2":       {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 404, "UNSUPPORTED"},
		"an upgrade":                  {head("GET /v2/", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"), 200, ""},
		"a tunnel":                    {"CONNECT elsewhere:443 HTTP/1.1\r\nHost: elsewhere:443\r\n\r\n", 404, "UNSUPPORTED"},
		"a trace":                     {head("TRACE /v2/", "X-Secret: echo"), 405, "UNSUPPORTED"},
		"options":                     {head("OPTIONS *"), 404, "UNSUPPORTED"},
		"an odd method":               {head("BREW /v2/library/app/manifests/1"), 405, "UNSUPPORTED"},
		"a push":                      {head("PUT /v2/library/app/manifests/1", "Content-Length: 2") + "{}", 405, "UNSUPPORTED"},
		"an upload":                   {head("POST /v2/library/app/blobs/uploads/"), 405, "UNSUPPORTED"},
		"a deletion":                  {head("DELETE /v2/library/app/manifests/1"), 405, "UNSUPPORTED"},
		"a body":                      {head("GET /v2/", "Content-Length: 2") + "{}", 200, ""},
		"a body that does not come":   {head("GET /v2/", "Content-Length: 1000"), 200, ""},
		"an endless body":             {head("GET /v2/", "Transfer-Encoding: chunked"), 200, ""},
		"a body that is offered":      {head("GET /v2/", "Content-Length: 1000000", "Expect: 100-continue"), 200, ""},
		"a way up":                    {head("GET /v2/../secret"), 404, "UNSUPPORTED"},
		"a way up in a name":          {head("GET /v2/../../secret/manifests/1"), 400, "NAME_INVALID"},
		"a way up, escaped":           {head("GET /v2/%2e%2e/%2e%2e/secret/manifests/1"), 400, "NAME_INVALID"},
		"a slash, escaped":            {head("GET /v2/library%2fapp/manifests/1"), 400, "NAME_INVALID"},
		"a way up in a digest":        {head("GET /v2/library/app/blobs/sha256:../../../../secret"), 404, "UNSUPPORTED"},
		"a way up in a tag":           {head("GET /v2/library/app/manifests/.."), 404, "MANIFEST_UNKNOWN"},
		"a way up in a host":          {head("GET /v2/library/app/manifests/1?ns=../../secret"), 400, "NAME_INVALID"},
		"a backslash":                 {head(`GET /v2/..\secret/manifests/1`), 400, "NAME_INVALID"},
		"a name of the store's own":   {head("GET /v2/library/app/_tags/manifests/1"), 400, "NAME_INVALID"},
		"two slashes":                 {head("GET //v2/library/app/manifests/1"), 404, "UNSUPPORTED"},
		"an empty segment":            {head("GET /v2/library//app/manifests/1"), 400, "NAME_INVALID"},
		"capital letters":             {head("GET /v2/Library/app/manifests/1"), 400, "NAME_INVALID"},
		"a long name":                 {head("GET /v2/" + long + "/manifests/1"), 400, "NAME_INVALID"},
		"a long tag":                  {head("GET /v2/library/app/manifests/" + long), 404, "MANIFEST_UNKNOWN"},
		"an unknown manifest":         {head("GET /v2/library/app/manifests/" + sha), 404, "MANIFEST_UNKNOWN"},
		"an unknown blob":             {head("GET /v2/library/app/blobs/" + sha), 404, "BLOB_UNKNOWN"},
		"a short digest":              {head("GET /v2/library/app/blobs/sha256:00"), 400, "DIGEST_INVALID"},
		"an unknown algorithm":        {head("GET /v2/library/app/blobs/md5:00"), 400, "DIGEST_INVALID"},
		"a digest in capitals":        {head("GET /v2/library/app/blobs/" + strings.ToUpper(layer)), 400, "DIGEST_INVALID"},
		"no API":                      {head("GET /"), 404, "UNSUPPORTED"},
		"the first API":               {head("GET /v1/search"), 404, "UNSUPPORTED"},
		"a catalog":                   {head("GET /v2/_catalog"), 404, "UNSUPPORTED"},
		"a namespace of another":      {head("GET /v2/library/app/manifests/1?ns=quay.io"), 404, "NAME_UNKNOWN"},
		"a query that is none":        {head("GET /v2/library/app/manifests/1?ns=%zz"), 400, ""},
		"a range":                     {head(blob, "Range: bytes=0-9"), 206, ""},
		"a range beyond the end":      {head(blob, "Range: bytes=100000-"), 416, "RANGE_INVALID"},
		"a range beyond all numbers":  {head(blob, "Range: bytes=99999999999999999999-"), 416, "RANGE_INVALID"},
		"a range to all numbers":      {head(blob, "Range: bytes=0-99999999999999999999"), 206, ""},
		"a range backwards":           {head(blob, "Range: bytes=9-0"), 416, "RANGE_INVALID"},
		"a range of letters":          {head(blob, "Range: bytes=a-b"), 200, ""},
		"a range of another unit":     {head(blob, "Range: lines=0-9"), 200, ""},
		"many ranges":                 {head(blob, "Range: bytes="+strings.Repeat("0-,", 5000)), 200, ""},
		"none of the last bytes":      {head(blob, "Range: bytes=-0"), 416, "RANGE_INVALID"},
		"conditions":                  {head(blob, `If-None-Match: "x"`, "If-Modified-Since: Sat, 01 Jan 2028 00:00:00 GMT", `If-Range: "y"`), 200, ""},
		"a body that may be unpacked": {head(blob, "Accept-Encoding: zstd, gzip, deflate"), 200, ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := dial(t, r)
			resp, body := w.ask(t, tc.request)
			if resp.StatusCode != tc.status || (tc.code != "" && !strings.Contains(body, `"code":"`+tc.code+`"`)) {
				t.Errorf("got %d %s, want %d %s", resp.StatusCode, body, tc.status, tc.code)
			}
			if strings.Contains(body, "secret") || strings.Contains(body, "echo") {
				t.Errorf("it tells what it must not: %s", body)
			}
			must(t, w.Close())
		})
	}
	r.end(t)
}

func TestPipelinedRequestsAreAnsweredInTheirOrder(t *testing.T) {
	r := run(t, "http://127.0.0.1:1", t.TempDir())
	w := dial(t, r)
	_, err := io.WriteString(w, base+head("GET /none")+head("HEAD /v2/")+base)
	must(t, err)
	var got []int
	for _, method := range []string{"GET", "GET", "HEAD", "GET"} {
		resp, _ := w.answer(t, method+" ")
		got = append(got, resp.StatusCode)
	}
	if diff := cmp.Diff([]int{200, 404, 200, 200}, got); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
	must(t, w.Close())
	r.end(t)
}

func TestAHeadThatDoesNotEndIsCutOff(t *testing.T) {
	t.Parallel()
	r := run(t, "http://127.0.0.1:1", t.TempDir())
	w := dial(t, r)
	_, err := io.WriteString(w, "GET /v2/ HTTP/1.1\r\nHost: x\r\nX-Slow: ")
	must(t, err)
	if _, err := io.Copy(io.Discard, w); isTimeout(err) {
		t.Errorf("the connection was not closed: %v", err)
	}
	r.end(t)
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}

// FuzzHeads sends whatever comes to a server, whose upstream has nothing.
func FuzzHeads(f *testing.F) {
	for _, seed := range []string{
		base, head("GET /v2/library/app/manifests/1"), head("HEAD /v2/a/blobs/sha256:"+strings.Repeat("0", 64), "Range: bytes=1-"),
		head("GET /v2/a/tags/list?n=1&last=x&ns=docker.io"), head("GET /v2/a/referrers/sha512:" + strings.Repeat("a", 128)),
		head("PUT /v2/../x", "Content-Length: 3") + "abc", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", base + head("TRACE *"),
		head("GET http://u:p@x/v2/%2e%2e/manifests/1", "Transfer-Encoding: chunked") + "0\r\n\r\n",
	} {
		f.Add([]byte(seed))
	}
	parent := f.TempDir()
	if err := os.WriteFile(filepath.Join(parent, "secret"), []byte("secret"), 0o600); err != nil {
		f.Fatal(err)
	}
	r := fuzzed(f, filepath.Join(parent, "store"))
	f.Fuzz(func(t *testing.T, request []byte) {
		conn, err := net.Dial("tcp", r)
		must(t, err)
		defer conn.Close()
		must(t, conn.SetDeadline(time.Now().Add(time.Minute)))
		_, _ = conn.Write(request) // the server may have heard enough
		_ = conn.(*net.TCPConn).CloseWrite()
		answer, err := io.ReadAll(io.LimitReader(conn, 1<<20))
		if isTimeout(err) {
			t.Fatalf("no end of an answer to %q: %q", request, answer)
		}
		var major, minor, status int
		if n, _ := fmt.Sscanf(string(answer), "HTTP/%d.%d %d", &major, &minor, &status); n == 3 && status >= 500 &&
			status != http.StatusNotImplemented && status != http.StatusHTTPVersionNotSupported { // which net/http answers itself
			t.Errorf("%q was answered %q", request, answer)
		}
		wantUntouched(t, parent)
	})
}

func fuzzed(f *testing.F, dir string) string {
	f.Helper()
	origin := httptest.NewServer(http.NotFoundHandler())
	r := run(f, origin.URL, dir)
	f.Cleanup(func() {
		r.end(f)
		origin.Close()
	})
	return r.RegistryAddr().String()
}

// wantUntouched wants nothing beside the store's directory, and in that nothing but what a store has.
func wantUntouched(t *testing.T, parent string) {
	t.Helper()
	var got []string
	for _, dir := range []string{parent, filepath.Join(parent, "store")} {
		entries, err := os.ReadDir(dir)
		must(t, err)
		for _, entry := range entries {
			if entry.Name() != "evictor" { // which may be there already, or not yet
				got = append(got, entry.Name())
			}
		}
	}
	want := []string{"secret", "store", "blobs", "partial", "quarantine", "repositories", "tmp"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}
