package proxy_test

import (
	"io"
	"net/http"
	"testing"
)

func TestABodyThatDoesNotComeDoesNotHoldItsAnswerUp(t *testing.T) {
	t.Parallel()
	p := runLocal(t, t.TempDir(), "{anonymous: Push}")
	uploads := dial(t, p.running)
	resp, _ := uploads.ask(t, head("POST /v2/app/blobs/uploads/", "Content-Length: 0"))
	_, err := io.WriteString(uploads, head("PATCH "+resp.Header.Get("Location"), "Content-Length: 6")+"abc")
	must(t, err)

	tests := map[string]struct {
		request string
		status  int
		closed  bool
	}{
		"one that is not read":                  {head("PUT /v2/app/tags/list", "Content-Length: 10"), http.StatusMethodNotAllowed, true},
		"one of which a part came":              {head("PUT /v2/app/tags/list", "Content-Length: 10") + "abc", http.StatusMethodNotAllowed, true},
		"one without a length":                  {head("PATCH /v2/app/blobs/uploads/x", "Transfer-Encoding: chunked"), http.StatusNotFound, true},
		"one that is not read, of who asks":     {head("GET /v2/app/manifests/1", "Content-Length: 10"), http.StatusNotFound, true},
		"one that came, and the next behind it": {head("PUT /v2/app/tags/list", "Content-Length: 3") + "abc", http.StatusMethodNotAllowed, false},
	}
	asked := map[string]*wire{}
	for name, tc := range tests {
		asked[name] = dial(t, p.running)
		_, err := io.WriteString(asked[name], tc.request)
		must(t, err)
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			resp, _ := asked[name].answer(t, tc.request)
			if resp.StatusCode != tc.status || resp.Close != tc.closed {
				t.Errorf("got %d and that the connection is closed: %v, want %d and %v", resp.StatusCode, resp.Close, tc.status, tc.closed)
			}
			if tc.closed {
				return
			}
			if resp, _ := asked[name].ask(t, base); resp.StatusCode != http.StatusOK {
				t.Errorf("the next one got %d, want 200", resp.StatusCode)
			}
		})
	}
	// An upload that rested for as long goes on.
	if resp, body := uploads.ask(t, "def"); resp.StatusCode != http.StatusAccepted {
		t.Errorf("the upload got %d %s, want 202", resp.StatusCode, body)
	}
	p.end(t)
}
