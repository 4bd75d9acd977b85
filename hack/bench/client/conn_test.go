package client

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAnAnswerIsReadToItsEnd(t *testing.T) {
	t.Parallel()
	body := make([]byte, 3*bufferSize+7)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
	}))
	defer server.Close()
	connection, err := Dial(t.Context(), server.Listener.Addr().String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	tests := []struct {
		sentence string
		request  Request
		status   int
		bytes    int64
	}{
		{"a whole body", Request{Target: "/"}, 200, int64(len(body))},
		{"a header alone", Request{Method: "HEAD", Target: "/"}, 200, 0},
		{"a range", Request{Target: "/", First: 10, Last: 19}, 206, 10},
	}
	for _, tc := range tests { // on one connection, one after the other
		answer, err := connection.Ask(tc.request)
		if err != nil || answer.Status != tc.status || answer.Bytes != tc.bytes {
			t.Errorf("%s: got %d and %d bytes (%v), want %d and %d", tc.sentence, answer.Status, answer.Bytes, err, tc.status, tc.bytes)
		}
	}
}

func TestAnErrorIsNotTakenForAnAnswer(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	if _, err := (Puller{Address: server.Listener.Addr().String()}).Ask(t.Context(), Request{Target: "/"}); err == nil {
		t.Error("404 was taken for an answer")
	}
}

func TestALoadCountsWhatWasAnswered(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) }))
	defer server.Close()
	nothing := func() error { return nil }
	outcome, err := Load{Address: server.Listener.Addr().String(), Request: Request{Target: "/"}, Clients: 2, For: 50 * time.Millisecond}.
		Run(t.Context(), nothing, nothing)
	if err != nil {
		t.Fatal(err)
	}
	if outcome.Bytes < outcome.Requests*5 || int(outcome.Requests) != len(outcome.Times) {
		t.Errorf("%d requests with %d times and %d bytes", outcome.Requests, len(outcome.Times), outcome.Bytes)
	}
}

func TestParseLength(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		line string
		want int64
	}{
		"a length":               {"Content-Length: 42", 42},
		"in any case":            {"content-length:7", 7},
		"another header":         {"Content-Type: 42", -1},
		"a length that is none":  {"Content-Length: many", -1},
		"a line that is shorter": {"Date", -1},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := parseLength([]byte(tc.line)); got != tc.want {
				t.Errorf("parseLength(%q) = %d, want %d", tc.line, got, tc.want)
			}
		})
	}
}

func TestParseStatus(t *testing.T) {
	t.Parallel()
	if got, err := parseStatus([]byte("HTTP/1.1 206 Partial Content\r\n")); got != 206 || err != nil {
		t.Errorf("got %d (%v), want 206", got, err)
	}
	for _, line := range []string{"", "HTTP/1.1", "SSH-2.0-x 200", "HTTP/1.1 many"} {
		if _, err := parseStatus([]byte(line)); err == nil {
			t.Errorf("%q was taken for a status line", line)
		}
	}
}
