package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// within is generous where an answer is to come, and short where none is.
const (
	generous = time.Minute
	short    = 50 * time.Millisecond
)

func answer(status int, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "{}")
	}
}

// hang answers a part and then nothing, until the client is gone.
func hang(begun string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if begun != "" {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, begun)
			w.(http.Flusher).Flush()
		}
		<-r.Context().Done()
	}
}

func endless(w http.ResponseWriter, _ *http.Request) {
	for {
		if _, err := io.WriteString(w, strings.Repeat("x", 4096)); err != nil {
			return
		}
	}
}

func abort(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func TestWhatCountsAsAnAnswer(t *testing.T) {
	t.Parallel()
	for sentence, tc := range map[string]struct {
		handler http.HandlerFunc
		within  time.Duration
		want    string
	}{
		"200":                         {answer(200), generous, ""},
		"401 with a challenge":        {answer(401, "WWW-Authenticate", `Bearer realm="http://x/token"`), generous, ""},
		"401 without one":             {answer(401), generous, "answered 401"},
		"403":                         {answer(403), generous, "client certificate"},
		"404":                         {answer(404), generous, "answered 404"},
		"a redirect":                  {answer(302, "Location", "/elsewhere"), generous, "answered 302"},
		"500":                         {answer(500), generous, "answered 500"},
		"503":                         {answer(503, "Retry-After", "1"), generous, "answered 503"},
		"no head":                     {hang(""), short, "did not answer within 50ms"},
		"half a body":                 {hang("{"), short, "did not answer within 50ms"},
		"a body without end":          {endless, generous, ""},
		"a connection that is closed": {abort, generous, "closed the connection"},
		"a head without end":          {answer(200, "X-Long", strings.Repeat("x", 1<<20)), generous, "server response headers exceeded"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(tc.handler)
			t.Cleanup(server.Close)
			expect(t, ask(t.Context(), Target{Hub: "a", Endpoint: server.URL}, nil, tc.within), tc.want)
		})
	}
}

func expect(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("error %q, want none", err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("error %v, want one that says %q", err, want)
	}
}

func TestAHubThatCannotBeReached(t *testing.T) {
	t.Parallel()
	for sentence, tc := range map[string]struct {
		listen func(t *testing.T) string
		want   string
	}{
		"nobody listens":             {closedPort, "connection refused"},
		"nobody accepts":             {unaccepted, "did not answer within 50ms"},
		"who accepts closes at once": {closing, "closed the connection"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			within := short
			if tc.want != "did not answer within 50ms" {
				within = generous
			}
			target := Target{Hub: "a", Endpoint: "http://" + tc.listen(t)}
			first := ask(t.Context(), target, nil, within)
			expect(t, first, tc.want)
			if second := ask(t.Context(), target, nil, within); second == nil || first == nil || second.Error() != first.Error() {
				t.Errorf("the same trouble reads %q, then %q", first, second)
			}
		})
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

func closedPort(t *testing.T) string {
	t.Helper()
	listener := listen(t)
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	return listener.Addr().String()
}

// unaccepted: the kernel takes the connection, and nobody reads from it.
func unaccepted(t *testing.T) string {
	t.Helper()
	listener := listen(t)
	t.Cleanup(func() { _ = listener.Close() })
	return listener.Addr().String()
}

func closing(t *testing.T) string {
	t.Helper()
	listener := listen(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			// What was sent is read, or the close would be a reset.
			_, _ = c.Read(make([]byte, 4096))
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = listener.Close(); <-done })
	return listener.Addr().String()
}

func TestTLS(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(answer(200))
	t.Cleanup(server.Close)
	server.Config.ErrorLog = nil
	trusted := x509.NewCertPool()
	trusted.AddCert(server.Certificate())
	plain := httptest.NewServer(answer(200))
	t.Cleanup(plain.Close)
	for sentence, tc := range map[string]struct {
		endpoint string
		config   *tls.Config
		want     string
	}{
		"a certificate of the CA that the node knows": {server.URL, &tls.Config{RootCAs: trusted}, ""},
		"a certificate of another":                    {server.URL, &tls.Config{RootCAs: x509.NewCertPool()}, "unknown authority"},
		"a certificate for another name":              {server.URL, &tls.Config{RootCAs: trusted, ServerName: "hub.invalid"}, "hub.invalid"},
		"no TLS at all":                               {strings.Replace(plain.URL, "http:", "https:", 1), &tls.Config{RootCAs: trusted}, "does not look like a TLS handshake"},
		"https asked without TLS":                     {strings.Replace(server.URL, "https:", "http:", 1), nil, "answered 400"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			expect(t, ask(t.Context(), Target{Hub: "a", Endpoint: tc.endpoint}, tc.config, generous), tc.want)
		})
	}
}

// TestEachQuestionHasAConnectionOfItsOwn, which ends with it: a Pod that is ending goes on answering on the connections
// that it has.
func TestEachQuestionHasAConnectionOfItsOwn(t *testing.T) {
	t.Parallel()
	const questions = 3
	var connections atomic.Int64
	closed := make(chan struct{}, questions)
	server := httptest.NewUnstartedServer(answer(200))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			connections.Add(1)
		case http.StateClosed:
			closed <- struct{}{}
		default:
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	for range questions {
		expect(t, ask(t.Context(), Target{Hub: "a", Endpoint: server.URL}, nil, generous), "")
		select {
		case <-closed:
		case <-time.After(generous):
			t.Fatal("the connection is left open")
		}
	}
	if got := connections.Load(); got != questions {
		t.Errorf("%d questions over %d connections", questions, got)
	}
}

func TestTheProxyOfTheEnvironmentIsNotAsked(t *testing.T) {
	server := httptest.NewServer(answer(200))
	t.Cleanup(server.Close)
	t.Setenv("HTTP_PROXY", "http://"+closedPort(t))
	// net/http asks no proxy for loopback addresses, whatever is set: the function itself is what counts.
	if transport(nil).Proxy != nil {
		t.Error("the transport knows a proxy")
	}
	expect(t, ask(t.Context(), Target{Hub: "a", Endpoint: server.URL}, nil, generous), "")
}

func TestAQuestionEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	asked := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	ended := make(chan error, 1)
	go func() { ended <- ask(ctx, Target{Hub: "a", Endpoint: server.URL}, nil, generous) }()
	<-asked
	cancel()
	if err := <-ended; err == nil {
		t.Error("an answer that never came")
	}
}
