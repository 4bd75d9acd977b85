package distspec

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestWriteError(t *testing.T) {
	secret := errors.New("dial tcp 10.0.0.1: token=hunter2")
	tests := map[string]struct {
		err        error
		wantStatus int
		wantBody   string
		wantHeader map[string]string
	}{
		"an error of the specification": {
			err: ManifestUnknown(nil), wantStatus: 404,
			wantBody: `{"errors":[{"code":"MANIFEST_UNKNOWN","message":"the registry has no such manifest in this repository"}]}`,
		},
		"an error in a chain, its cause unsaid": {
			err: fmt.Errorf("serving: %w", Denied(secret)), wantStatus: 403,
			wantBody: `{"errors":[{"code":"DENIED","message":"the upstream registry refuses this hub access to the repository"}]}`,
		},
		"an unknown error is unavailability, unsaid": {
			err: secret, wantStatus: 503, wantHeader: map[string]string{"Retry-After": "5"},
			wantBody: `{"errors":[{"code":"UNAVAILABLE","message":"the hub cannot answer now: ask the registry itself, or again later"}]}`,
		},
		"a wait, rounded up": {
			err: &Error{Status: 503, Code: CodeUnavailable, Message: "m", RetryAfter: 1500 * time.Millisecond}, wantStatus: 503,
			wantHeader: map[string]string{"Retry-After": "2"},
			wantBody:   `{"errors":[{"code":"UNAVAILABLE","message":"m"}]}`,
		},
		"a range that cannot be satisfied": {
			err: unsatisfiable(10), wantStatus: 416, wantHeader: map[string]string{"Content-Range": "bytes */10"},
			wantBody: `{"errors":[{"code":"RANGE_INVALID","message":"the range holds no byte of the object"}]}`,
		},
		"a status that is no error": {
			err: &Error{Status: 200, Code: "OK", Message: "m"}, wantStatus: 503,
			wantBody: `{"errors":[{"code":"UNAVAILABLE","message":"the hub cannot answer now: ask the registry itself, or again later"}]}`,
		},
	}
	for name, tc := range tests {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			t.Run(name+" on "+method, func(t *testing.T) {
				w := write(method, tc.err)
				want := tc.wantBody
				if method == http.MethodHead {
					want = ""
				}
				if diff := cmp.Diff(want, w.Body.String()); diff != "" {
					t.Errorf("the body (-want +got)\n%s", diff)
				}
				checkErrorHeaders(t, w, tc.wantStatus, len(tc.wantBody), tc.wantHeader)
			})
		}
	}
}

func write(method string, err error) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	w.Header().Set("Docker-Content-Digest", "sha256:of-what-is-not-sent")
	w.Header().Set("Content-Type", "application/octet-stream")
	WriteError(w, httptest.NewRequest(method, "/v2/", nil), err)
	return w
}

func checkErrorHeaders(t *testing.T, w *httptest.ResponseRecorder, status, length int, want map[string]string) {
	t.Helper()
	if w.Code != status {
		t.Errorf("got the status %d, want %d", w.Code, status)
	}
	h := w.Header()
	if got := h.Get("Content-Length"); got != strconv.Itoa(length) {
		t.Errorf("got Content-Length %s, want %d", got, length)
	}
	if got := h.Get("Content-Type"); !strings.HasPrefix(got, "application/json") {
		t.Errorf("got Content-Type %s", got)
	}
	if h.Get("Docker-Content-Digest") != "" {
		t.Error("the digest of what is not sent is still there")
	}
	for name, value := range want {
		if got := h.Get(name); got != value {
			t.Errorf("got %s %q, want %q", name, got, value)
		}
	}
}

func TestWriteErrorToNobodyWritesNoBody(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := httptest.NewRecorder()
	WriteError(w, httptest.NewRequest(http.MethodGet, "/v2/", nil).WithContext(ctx), context.Canceled)
	if w.Code != StatusClientClosedRequest || w.Body.Len() != 0 {
		t.Errorf("got %d and %q", w.Code, w.Body)
	}
}

func TestErrorHasItsCauseForLogs(t *testing.T) {
	cause := errors.New("cause")
	if err := Unavailable(cause); !errors.Is(err, cause) || !strings.Contains(err.Error(), "cause") {
		t.Errorf("got %v", err)
	}
	if err := BlobUnknown(nil); err.Status != 404 || strings.Contains(err.Error(), "nil") {
		t.Errorf("got %v", err)
	}
}
