package distspec

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"
)

// StatusClientClosedRequest is written, with no body, when the request's context has ended: the client is gone, so
// nobody reads it, and a connection that lives on after all must not see an empty 200. The number is nginx's, and
// keeps such requests apart from failures in metrics.
const StatusClientClosedRequest = 499

// errorBody is the specification's error body.
type errorBody struct {
	Errors [1]errorEntry `json:"errors"`
}

type errorEntry struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
}

// WriteError renders err: the *Error in its chain, or 503 UNAVAILABLE that tells nothing of it. Headers that spoke
// of an object are taken back. A HEAD gets the headers that a GET would, and no body.
//
// It must not be called once the header of the response is out: then the connection is aborted instead.
func WriteError(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		w.WriteHeader(StatusClientClosedRequest)
		return
	}
	e := asError(err)
	body, err := json.Marshal(errorBody{Errors: [1]errorEntry{{Code: e.Code, Message: e.Message}}})
	if err != nil {
		body = nil // Two strings always marshal; an empty body would still be a right answer.
	}
	setErrorHeaders(w.Header(), e, len(body))
	w.WriteHeader(e.Status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // The client is gone: nobody is left to be told.
	}
}

// asError is the *Error in the chain. A status that is no error would have the client take the body as content.
func asError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok && e.Status >= 400 && e.Status <= 599 {
		return e
	}
	return Unavailable(err)
}

func setErrorHeaders(h http.Header, e *Error, length int) {
	for _, name := range []string{"Accept-Ranges", "Content-Range", "Docker-Content-Digest", "Etag", "Last-Modified", "Link"} {
		h.Del(name)
	}
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(length))
	h.Set("X-Content-Type-Options", "nosniff")
	if e.Status == http.StatusServiceUnavailable {
		h.Set("Retry-After", retryAfter(e.RetryAfter))
	}
	if e.ContentRange != "" {
		h.Set("Content-Range", e.ContentRange)
	}
}

func retryAfter(d time.Duration) string {
	if d <= 0 {
		d = DefaultRetryAfter
	}
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}
