package upstream

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestAClosedClientKeepsNoConnectionWhenItsLastRequestHasEnded(t *testing.T) {
	t.Parallel()
	states := make(chan http.ConnState, 100)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) { states <- s }
	server.Start()
	t.Cleanup(server.Close)
	c := &closing{inner: &http.Transport{}}
	ask := func() *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	for range 2 { // the second is made by whoever had the client when it was closed
		resp := ask()
		c.close()
		body, err := io.ReadAll(resp.Body)
		if err != nil || string(body) != "ok" {
			t.Errorf("a request under way got %q, error %v", body, err)
		}
		if err := resp.Body.Close(); err != nil {
			t.Fatal(err)
		}
		for state := range states {
			if state == http.StateClosed {
				break
			}
		}
	}
}
