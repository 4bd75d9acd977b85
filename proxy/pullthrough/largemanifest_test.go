package pullthrough_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/registryhub/registryhub/proxy/distspec"
)

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

func take(t *testing.T, handler http.Handler, method, path string) *taken {
	t.Helper()
	w := &taken{ResponseRecorder: httptest.NewRecorder()}
	handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, "/v2/"+path, nil))
	return w
}

func TestALargeManifestIsSentFromTheStore(t *testing.T) {
	o := newOrigin(t)
	body := document(t, map[string]any{"schemaVersion": 2, "mediaType": typeManifest, "layers": []any{}, "x": strings.Repeat("x", 1<<20)})
	d := o.pushManifest(t, "team/app", "1", typeManifest, body)
	r := start(t, setup{upstreams: []string{o.URL}})
	r.get(t, "team/app/manifests/1").want(t, 200, body)
	for _, path := range []string{"team/app/manifests/1", "team/app/manifests/" + d.String()} {
		for method, want := range map[string]struct {
			files int
			body  string
		}{http.MethodGet: {1, string(body)}, http.MethodHead: {}} {
			got := take(t, r.mirror, method, path)
			if got.files != want.files || got.Body.String() != want.body || got.Code != http.StatusOK {
				t.Errorf("%s %s: got %d with %d bytes, %d of them files, want all that there is as a file", method, path, got.Code, got.Body.Len(), got.files)
			}
			h := got.Header()
			if h.Get("Docker-Content-Digest") != d.String() || h.Get("Content-Type") != typeManifest || h.Get("Content-Length") != strconv.Itoa(len(body)) {
				t.Errorf("%s %s: got the header %v", method, path, h)
			}
		}
	}
	ahead, err := r.mirror.ManifestAhead(t.Context(), "registry.test", "team/app", distspec.DigestReference(d))
	if must(t, err); string(ahead.Content) != string(body) {
		t.Errorf("what is pulled ahead has %d bytes, want %d", len(ahead.Content), len(body))
	}
}

func TestALargeListIsSentFromTheStoreUnlessItIsChanged(t *testing.T) {
	o := newOrigin(t)
	tags := make([]string, 20000)
	for i := range tags {
		tags[i] = "v" + strconv.Itoa(100000+i)
	}
	o.fail(pagedTags(tags))
	r := start(t, setup{upstreams: []string{o.URL}})
	whole := r.get(t, "team/app/tags/list")
	for query, want := range map[string]int{"": 1, "?n=1": 0, "?last=v110000": 0} {
		got := take(t, r.mirror, http.MethodGet, "team/app/tags/list"+query)
		if got.Code != http.StatusOK || got.files != want {
			t.Errorf("%q: got %d with %d files, want 200 with %d", query, got.Code, got.files, want)
		}
		if query == "" && got.Body.String() != string(whole.body) {
			t.Errorf("from the store there are %d bytes, want the %d of the first answer", got.Body.Len(), len(whole.body))
		}
	}
}
