package upstream

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy/secretfile"
)

var zeroTime time.Time

func TestCAFileIsTrustedBesideThePublicRoots(t *testing.T) {
	var proto string
	inner := realRegistry(t, "a")
	server, ca := serveTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		proto = r.Proto
		inner.ServeHTTP(w, r)
	}))
	c := client(t, server.URL, func(cfg *config.UpstreamConfiguration) { cfg.CAFile = ca })
	if _, err := c.Manifest(t.Context(), "a", tagged(t, "v1")); err != nil {
		t.Fatal(err)
	}
	if proto != "HTTP/2.0" {
		t.Errorf("spoke %s", proto)
	}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	if _, err := client(t, server.URL).Manifest(t.Context(), "a", tagged(t, "v1")); !IsUnavailable(err) {
		t.Errorf("without the CA: %v", err)
	}
}

func TestNewNamesAFileThatIsWrong(t *testing.T) {
	notPEM := writeFile(t, t.TempDir(), "ca.pem", "hunter2")
	for _, file := range []string{notPEM, "/nowhere/ca.pem"} {
		_, err := New(config.UpstreamConfiguration{Name: "x", URL: "https://docker.io", CAFile: file}, Timeouts{})
		e, ok := errors.AsType[*secretfile.Error](err)
		if !ok || e.File != file || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("got %v, want an error that names %s", err, file)
		}
	}
	if _, err := New(config.UpstreamConfiguration{Name: "x", URL: "docker.io"}, Timeouts{}); err == nil || !strings.Contains(err.Error(), `"x"`) {
		t.Errorf("got %v, want an error that names the upstream", err)
	}
}

func TestFinalStatusesHaveTheirMeaning(t *testing.T) {
	tests := map[int]struct{ notFound, unauthorized, unavailable, invalid bool }{
		400: {}, 410: {notFound: true}, 404: {notFound: true}, 403: {unauthorized: true}, 401: {unauthorized: true},
		408: {unavailable: true}, 429: {unavailable: true}, 500: {unavailable: true}, 502: {unavailable: true},
		503: {unavailable: true}, 504: {unavailable: true}, 304: {}, 204: {invalid: true}, 206: {invalid: true}, 302: {},
	}
	for status, want := range tests {
		server, _ := serveFunc(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		_, err := client(t, server.URL).Manifest(t.Context(), "a", tagged(t, "v1"))
		if IsNotFound(err) != want.notFound || IsUnauthorized(err) != want.unauthorized || IsUnavailable(err) != want.unavailable || IsInvalidResponse(err) != want.invalid {
			t.Errorf("%d: got %v", status, err)
		}
		if !want.invalid && Status(err) != status {
			t.Errorf("%d: got the status %d", status, Status(err))
		}
	}
}

func TestTooManyRequestsSaysWhenAndWhy(t *testing.T) {
	server, _ := serveFunc(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "90")
		w.WriteHeader(http.StatusTooManyRequests)
		_, _ = io.WriteString(w, `{"errors":[{"code":"TOOMANYREQUESTS","message":"hunter2"}]}`)
	})
	_, err := client(t, server.URL).Manifest(t.Context(), "a", tagged(t, "v1"))
	e, ok := errors.AsType[*StatusError](err)
	if !ok || e.RetryAfter != 90*time.Second || e.Code != "TOOMANYREQUESTS" || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %+v", err)
	}
}

func TestParseRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "0": 0, "-1": 0, "x": 0, "30": 30 * time.Second, "99999999999": 0, "86400": time.Hour,
		"Thu, 01 Jan 2026 00:01:00 GMT": time.Minute, "Wed, 31 Dec 2025 00:00:00 GMT": 0,
	} {
		if got := parseRetryAfter(value, now); got != want {
			t.Errorf("%q: got %v, want %v", value, got, want)
		}
	}
}

func TestErrorCodesFromOutsideAreChecked(t *testing.T) {
	for body, want := range map[string]string{
		"": "", "<html>": "", `{"errors":[]}`: "", `{"errors":[{"code":"DENIED"}]}`: "DENIED",
		`{"errors":[{"code":"denied\nforged log line"}]}`: "",
	} {
		if got := errorCode(strings.NewReader(body)); got != want {
			t.Errorf("%q: got %q", body, got)
		}
	}
}

func TestUpstreamThatNeverAnswers(t *testing.T) {
	server, _ := serveFunc(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	c := clientWith(t, server.URL, brief())
	if _, err := c.Manifest(t.Context(), "a", tagged(t, "v1")); !IsUnavailable(err) {
		t.Errorf("a manifest: got %v", err)
	}
	if _, err := c.Blob(t.Context(), "a", blobDigest, 0, -1); !IsUnavailable(err) {
		t.Errorf("a blob: got %v", err)
	}
}

func TestManifestThatNeverEnds(t *testing.T) {
	server, _ := serveFunc(t, func(w http.ResponseWriter, r *http.Request) {
		flush(w, "{")
		<-r.Context().Done()
	})
	c := clientWith(t, server.URL, Timeouts{Document: 50 * time.Millisecond})
	if _, err := c.Manifest(t.Context(), "a", tagged(t, "v1")); !IsUnavailable(err) {
		t.Errorf("got %v", err)
	}
}

// A redirect whose own body hangs must not hold a blob up for ever.
func TestRedirectBodyThatNeverEnds(t *testing.T) {
	server, _ := serveFunc(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(http.StatusFound)
		flush(w, "x")
		<-r.Context().Done()
	})
	c := clientWith(t, server.URL, Timeouts{Document: 50 * time.Millisecond})
	if _, err := c.Blob(t.Context(), "a", blobDigest, 0, -1); !IsUnavailable(err) {
		t.Errorf("got %v", err)
	}
}

func TestRefusedConnection(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	_ = listener.Close()
	_, err = client(t, "http://"+address).Manifest(t.Context(), "a", tagged(t, "v1"))
	e, ok := errors.AsType[*UnreachableError](err)
	if !ok || e.Host != address || !IsUnavailable(err) || Status(err) != 0 {
		t.Errorf("got %v", err)
	}
}

func TestCallerThatLeavesIsNoTroubleOfTheUpstream(t *testing.T) {
	arrived := make(chan struct{})
	server, _ := serveFunc(t, func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	_, err := client(t, server.URL).Manifest(ctx, "a", tagged(t, "v1"))
	if !errors.Is(err, context.Canceled) || IsUnavailable(err) {
		t.Errorf("got %v", err)
	}
}

func TestPassedDeadlineOfTheCallerIsUnavailability(t *testing.T) {
	server, _ := serveFunc(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := client(t, server.URL).Manifest(ctx, "a", tagged(t, "v1")); !IsUnavailable(err) {
		t.Errorf("got %v", err)
	}
}

func TestBodiesAreNeverDecompressed(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip") // A layer in an object store that was labelled so.
		_, _ = io.WriteString(w, blobContent)
	}))
	t.Cleanup(server.Close)
	if got, b, err := readBlob(t, client(t, server.URL), 0, -1); err != nil || got != blobContent || b.Size != 10 {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestConnectionsAreUsedAgain(t *testing.T) {
	var connections int
	server := httptest.NewUnstartedServer(realRegistry(t, "a"))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections++
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	c := client(t, server.URL)
	for range 5 {
		if _, err := c.Manifest(t.Context(), "a", tagged(t, "v1")); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Manifest(t.Context(), "a", tagged(t, "v2")); !IsNotFound(err) {
			t.Fatal(err)
		}
		if _, _, err := readBlob(t, c, 0, -1); err != nil {
			t.Fatal(err)
		}
	}
	if connections != 2 {
		t.Errorf("%d connections for fifteen requests in turn, want one for documents and one for blobs", connections)
	}
}

func TestNameAndHost(t *testing.T) {
	c := client(t, "https://Registry.Example.com:8443/p")
	if c.Name() != "test" || c.Host() != "registry.example.com:8443" {
		t.Errorf("got %q and %q", c.Name(), c.Host())
	}
}
