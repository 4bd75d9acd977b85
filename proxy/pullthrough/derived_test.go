package pullthrough

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/opencontainers/go-digest"
	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy/distspec"
	"github.com/registryhub/registryhub/proxy/metrics"
	"github.com/registryhub/registryhub/proxy/rules"
	"github.com/registryhub/registryhub/proxy/store/fsstore"
	"github.com/registryhub/registryhub/proxy/upstream"
)

// listing is a mirror that has been told of two large lists of team/app: of tags, and of what refers to a manifest.
func listing(t *testing.T, subject distspec.Reference) *Mirror {
	t.Helper()
	kept, err := fsstore.Open(t.TempDir())
	must(t, err)
	fallbacks, err := rules.Compile(nil)
	must(t, err)
	tags, err := rules.CompileTags(config.TagsConfiguration{RevalidateAfter: &metav1.Duration{Duration: time.Minute}})
	must(t, err)
	never, err := upstream.New(config.UpstreamConfiguration{Name: "never-asked", URL: "http://127.0.0.1:1"}, upstream.Timeouts{})
	must(t, err)
	t.Cleanup(never.Close)
	m, err := New(Options{Hub: "hub", Store: kept, Logger: logr.Discard(), Metrics: metrics.New(prometheus.NewRegistry())},
		Settings{Hosts: []Host{{Name: "registry.test", Upstreams: []*upstream.Client{never}}}, Rules: fallbacks, Tags: tags})
	must(t, err)
	q, err := m.queryAhead("registry.test", distspec.Request{Kind: distspec.KindTags, Repository: "team/app", Reference: subject})
	must(t, err)
	filler := strings.Repeat("x", 1<<20)
	m.keepList(t.Context(), m.namedList(q, "tags", 0, nil), list{document: []byte(`{"tags": ["a", "b", "` + filler + `"]}`)})
	m.keepList(t.Context(), m.namedList(q, "referrers:"+subject.String(), 0, nil), list{
		document: []byte(`{"mediaType": "` + distspec.MediaTypeIndex + `", "manifests": [], "x": "` + filler + `"}`),
	})
	return m
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsMadeOfALargeListWaitsForMemory(t *testing.T) {
	subject := distspec.DigestReference(digest.FromString("subject"))
	for _, path := range []string{"/v2/team/app/tags/list?n=1", "/v2/team/app/referrers/" + subject.String() + "?artifactType=a"} {
		synctest.Test(t, func(t *testing.T) {
			m := listing(t, subject)
			defer m.Close()
			get := func() int {
				w := httptest.NewRecorder()
				m.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
				return w.Code
			}
			must(t, m.rooms.Acquire(t.Context(), maxParsed))
			time.AfterFunc(time.Second, func() { m.rooms.Release(maxParsed) })
			if got := get(); got != http.StatusOK {
				t.Errorf("%s when there is memory again: got %d, want 200", path, got)
			}
			if !m.rooms.TryAcquire(maxParsed) {
				t.Fatalf("%s: not all memory was given back", path)
			}
			began := time.Now()
			if got := get(); got != http.StatusServiceUnavailable || time.Since(began) != headersWithin {
				t.Errorf("%s without memory: got %d after %s, want 503 after %s", path, got, time.Since(began), headersWithin)
			}
		})
	}
}

func TestAnAnswerThatIsTakenHoldsNoMoreMemoryThanItHas(t *testing.T) {
	m := listing(t, distspec.DigestReference(digest.FromString("subject")))
	defer m.Close()
	const page = 1 << 20
	w := slow(func() {
		if !m.rooms.TryAcquire(maxParsed-page) || m.rooms.TryAcquire(1) {
			t.Errorf("while %d bytes are sent, others have not the rest of the memory alone", page)
		}
		m.rooms.Release(maxParsed - page)
	})
	one := manifest{body: make([]byte, 2*page), size: 2 * page}
	must(t, m.sendDerived(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil), "application/json", one,
		func(document []byte) ([]byte, error) { return document[:page], nil }))
	if !m.rooms.TryAcquire(maxParsed) {
		t.Error("not all memory was given back")
	}
}

// slow is a client who does something before it takes an answer.
type slow func()

func (s slow) Header() http.Header { return http.Header{} }

func (s slow) WriteHeader(int) {}

func (s slow) Write(p []byte) (int, error) {
	s()
	return len(p), nil
}
