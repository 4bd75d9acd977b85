package proxy

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// awaited is the body of a request that may be answered before all of it came.
type awaited struct {
	io.ReadCloser
	ended atomic.Bool
}

// Read implements io.Reader.
func (a *awaited) Read(p []byte) (int, error) {
	n, err := a.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		a.ended.Store(true)
	}
	return n, err
}

// unread is the answer to a request whose body may be read or not. What was not read by then net/http reads before the header
// goes out, so that the next request is found behind it, and would wait for without end.
type unread struct {
	http.ResponseWriter
	body *awaited
}

// await returns an answer, and a request of which it is known how far its body was read.
func await(w http.ResponseWriter, r *http.Request) (http.ResponseWriter, *http.Request) {
	body := &awaited{ReadCloser: r.Body}
	r = r.WithContext(r.Context()) // net/http knows the body of its own
	r.Body = body
	return &unread{ResponseWriter: w, body: body}, r
}

// WriteHeader implements http.ResponseWriter.
func (u *unread) WriteHeader(status int) {
	if !u.body.ended.Load() {
		hurryBody(u.ResponseWriter)
	}
	u.ResponseWriter.WriteHeader(status)
}

// Unwrap serves http.ResponseController.
func (u *unread) Unwrap() http.ResponseWriter { return u.ResponseWriter }

// hurryBody has the rest of a body come soon, or the connection closed after the answer.
func hurryBody(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyWithin)) // fails when the connection is gone
}
