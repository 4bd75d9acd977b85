package proxies_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/controllers/proxies"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pod answers as a proxy's Pod does, or as it likes, and gives its address.
func pod(t *testing.T, answer http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func TestAskGivesTheReport(t *testing.T) {
	t.Parallel()
	var asked atomic.Value
	address := pod(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Store(r.Method + " " + r.URL.String())
		_, _ = io.WriteString(w, `{"inForce":"a","refused":{"hash":"b","reason":"no"},"store":{"full":true},"of a later version":1}`)
	})
	got, err := proxies.NewClient().Ask(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	want := configv1alpha1.ProxyReport{
		InForce: "a", Refused: &configv1alpha1.RefusedConfiguration{Hash: "b", Reason: "no"}, Store: configv1alpha1.StoreReport{Full: true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	if got := asked.Load(); got != "GET /configz" {
		t.Errorf("asked %s, want GET /configz", got)
	}
}

func TestAskBelievesNobody(t *testing.T) {
	t.Parallel()
	var followed atomic.Bool
	elsewhere := pod(t, func(w http.ResponseWriter, _ *http.Request) {
		followed.Store(true)
		_, _ = io.WriteString(w, `{"inForce":"stolen"}`)
	})
	cases := map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"another status": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, "it answers 500"},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://"+elsewhere+"/", http.StatusFound)
		}, "it answers 302"},
		"a page":          {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }, "its answer is no report"},
		"an empty object": {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") }, "its answer is no report"},
		"nothing":         {func(http.ResponseWriter, *http.Request) {}, "its answer is no report"},
		"an endless body": {func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := io.WriteString(w, strings.Repeat(" ", 4096)); err != nil {
					return
				}
			}
		}, "its answer has more than 65536 bytes"},
		"an endless header": {func(w http.ResponseWriter, _ *http.Request) {
			for i := range 1000 {
				w.Header().Set(fmt.Sprintf("X-%d", i), strings.Repeat("x", 100))
			}
		}, "it does not answer"},
		"a body that breaks off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"inForce":"a"}`)
		}, "its answer breaks off"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report, err := proxies.NewClient().Ask(t.Context(), pod(t, tc.answer))
			mustFail(t, report, err, tc.want)
			if followed.Load() {
				t.Error("the redirect was followed")
			}
		})
	}
}

func TestAskWaitsForNobodyForEver(t *testing.T) {
	t.Parallel()
	cases := map[string]http.HandlerFunc{
		"no header": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"no body": func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		},
	}
	for name, answer := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report, err := proxies.NewClient().Ask(t.Context(), pod(t, answer))
			mustFail(t, report, err, "answer")
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want that the time is over", err)
			}
		})
	}
}

func TestAskOfNobody(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	report, err := proxies.NewClient().Ask(t.Context(), listener.Addr().String())
	mustFail(t, report, err, "it does not answer")
}

func mustFail(t *testing.T, report configv1alpha1.ProxyReport, err error, want string) {
	t.Helper()
	failed, is := errors.AsType[*proxies.AskError](err)
	if !is || !strings.Contains(failed.Problem, want) {
		t.Errorf("got %v, want an AskError that says %q", err, want)
	}
	if diff := cmp.Diff(configv1alpha1.ProxyReport{}, report); diff != "" {
		t.Errorf("a report beside the error (-want +got):\n%s", diff)
	}
}
