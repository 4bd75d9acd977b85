package local_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
)

const typeManifest = "application/vnd.oci.image.manifest.v1+json"

// taken is what a client takes, which notes the files among it: net/http has the kernel send those.
type taken struct {
	*httptest.ResponseRecorder
	files int
}

func (w *taken) ReadFrom(from io.Reader) (int64, error) {
	if part, ok := from.(*io.LimitedReader); ok {
		if _, ok := part.R.(*os.File); ok {
			w.files++
		}
	}
	return io.Copy(w.ResponseRecorder, from)
}

func TestALargeManifestIsSentFromTheStore(t *testing.T) {
	r := newRig(t)
	for _, size := range []int{1 << 10, 1 << 20} {
		body := manifestOf(size)
		put := r.do(http.MethodPut, "/v2/app/manifests/1", body, "Content-Type: "+typeManifest)
		if put.StatusCode != http.StatusCreated {
			t.Fatalf("pushing: got %d %s", put.StatusCode, put.body)
		}
		for method, want := range map[string]string{http.MethodGet: body, http.MethodHead: ""} {
			got := &taken{ResponseRecorder: httptest.NewRecorder()}
			r.server.Config.Handler.ServeHTTP(got, httptest.NewRequestWithContext(t.Context(), method, "/v2/app/manifests/1", nil))
			if got.Code != http.StatusOK || got.Body.String() != want || (got.files == 1) != (len(want) > 64<<10) {
				t.Errorf("%s of %d bytes: got %d with %d bytes, and %d files", method, len(body), got.Code, got.Body.Len(), got.files)
			}
			h := got.Header()
			if h.Get("Docker-Content-Digest") != put.Header.Get("Docker-Content-Digest") || h.Get("Content-Type") != typeManifest || h.Get("Content-Length") != strconv.Itoa(len(body)) {
				t.Errorf("%s of %d bytes: got the header %v", method, len(body), h)
			}
		}
	}
}

// manifestOf is a manifest of nothing with about so many bytes.
func manifestOf(size int) string {
	return `{"schemaVersion":2,"mediaType":"` + typeManifest + `","config":{"mediaType":"x/y","digest":"sha256:` + strings.Repeat("1", 64) +
		`","size":1,"urls":["http://elsewhere.test"]},"layers":[],"annotations":{"x":"` + strings.Repeat("x", size) + `"}}`
}
