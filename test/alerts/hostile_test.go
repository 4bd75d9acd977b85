package alerts

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestNoClientCanMakeSeries asks for everything by names that were never there before, twice over: other names make no
// other series.
func TestNoClientCanMakeSeries(t *testing.T) {
	t.Parallel()
	h := startHub(t)
	h.pull(t)
	h.ask(t, "evil0")
	before := seriesOf(h.figures(t))
	for i := range 20 {
		h.ask(t, fmt.Sprintf("evil%d", i+1))
	}
	after := seriesOf(h.figures(t))
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("series that were not there before (-before +after):\n%s", diff)
	}
	if i := slices.IndexFunc(after, func(series string) bool { return strings.Contains(series, "evil") }); i >= 0 {
		t.Errorf("a client's word is a label: %s", after[i])
	}
}

// ask asks for all kinds of things, with a word of the client's own in each place that it can choose.
func (h *hub) ask(t *testing.T, word string) {
	t.Helper()
	base := "https://" + h.RegistryAddr().String()
	header := http.Header{
		"User-Agent": {word}, "Accept": {"application/" + word}, "Authorization": {"Bearer " + word}, "Range": {"bytes=" + word},
		"X-Forwarded-For": {word}, "X-Forwarded-Host": {word + ".example"},
	}
	digest := "sha256:" + strings.Repeat("0", 64)
	for _, path := range []string{
		"/v2/", "/v2/?ns=" + word + ".example", "/" + word, "/v2/" + word + "/manifests/" + word,
		"/v2/library/" + word + "/manifests/" + digest + "?ns=docker.io", "/v2/" + word + "/blobs/" + digest,
		"/v2/" + word + "/blobs/" + word + ":00", "/v2/" + word + "/tags/list?n=1&last=" + word,
		"/v2/" + word + "/referrers/" + digest + "?artifactType=" + word, "/v2/" + url.PathEscape(word+"\n{x=\"y\"}") + "/manifests/1",
		"/v2/" + word + "/blobs/uploads/", "/v2/library/app/manifests/" + word + "?ns=" + word + ":5000",
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, strings.ToUpper(word)} {
			h.do(t, method, base+path, header)
		}
	}
}

// seriesOf are the names and labels of the proxy's own lines.
func seriesOf(lines []string) []string {
	var series []string
	for _, line := range lines {
		if name, _, _ := strings.Cut(line, " "); strings.HasPrefix(name, "registryhub_") {
			series = append(series, name)
		}
	}
	return series
}
