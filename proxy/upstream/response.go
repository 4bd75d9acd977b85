package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"github.com/registryhub/registryhub/proxy/secretfile"
)

const (
	// maxErrorBody is the most bytes of an error body that are read for its code.
	maxErrorBody = 64 << 10
	// maxDrain is what is read of an unwanted body so that its connection can be used again.
	maxDrain = 64 << 10
	// maxRetryAfter bounds what an upstream may ask to wait.
	maxRetryAfter = time.Hour
)

func whereOf(r *http.Request) Where {
	return Where{Method: r.Method, Host: r.URL.Host, Path: r.URL.Path}
}

func invalidResponse(r *http.Request, format string, args ...any) error {
	return &InvalidResponseError{Where: whereOf(r), Reason: fmt.Sprintf(format, args...)}
}

// transportError gives an error of the transport its type. A caller that went away is no trouble of the upstream's.
func transportError(r *http.Request, err error) error {
	if typed(err) {
		return err
	}
	if cause := context.Cause(r.Context()); errors.Is(cause, errStalled) {
		return &UnreachableError{Where: whereOf(r), Err: cause}
	}
	if errors.Is(r.Context().Err(), context.Canceled) {
		return fmt.Errorf("%s: %w", whereOf(r), context.Canceled)
	}
	return &UnreachableError{Where: whereOf(r), Err: err}
}

// typed reports whether authorization has already said what went wrong.
func typed(err error) bool {
	for _, is := range []func(error) bool{isType[*StatusError], isType[*UnreachableError], isType[*InvalidResponseError], isType[*secretfile.Error]} {
		if is(err) {
			return true
		}
	}
	return false
}

func isType[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// statusError makes the error of an answer that is not wanted, and closes it.
func statusError(resp *http.Response) error {
	defer discard(resp)
	if resp.StatusCode < 300 {
		return invalidResponse(resp.Request, "its status is %d", resp.StatusCode)
	}
	return &StatusError{
		Where:      whereOf(resp.Request),
		Status:     resp.StatusCode,
		Code:       errorCode(resp.Body),
		RetryAfter: parseRetryAfter(resp.Header.Get("Retry-After"), time.Now()),
	}
}

var codePattern = regexp.MustCompile(`^[A-Z_]{1,64}$`)

// errorCode is the first code of the specification's error body. Nothing else of a body from outside gets into an
// error.
func errorCode(body io.Reader) string {
	var parsed struct {
		Errors []struct {
			Code string `json:"code"`
		} `json:"errors"`
	}
	err := json.NewDecoder(io.LimitReader(body, maxErrorBody)).Decode(&parsed)
	if err != nil || len(parsed.Errors) == 0 || !codePattern.MatchString(parsed.Errors[0].Code) {
		return ""
	}
	return parsed.Errors[0].Code
}

// parseRetryAfter reads seconds or a date (RFC 9110, section 10.2.3).
func parseRetryAfter(value string, now time.Time) time.Duration {
	var wait time.Duration
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if date, err := http.ParseTime(value); err == nil {
		wait = date.Sub(now)
	}
	return min(max(wait, 0), maxRetryAfter)
}

// discard closes an answer that nobody wants, in a way that lets its connection be used again.
func discard(resp *http.Response) {
	_, _ = io.CopyN(io.Discard, resp.Body, maxDrain) // Best effort: a broken connection is not used again anyway.
	_ = resp.Body.Close()
}

// readAll reads a body of at most limit bytes.
func readAll(resp *http.Response, limit int64) ([]byte, error) {
	if resp.ContentLength > limit {
		return nil, invalidResponse(resp.Request, "its %d bytes are more than the limit of %d", resp.ContentLength, limit)
	}
	content, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, transportError(resp.Request, err)
	}
	if int64(len(content)) > limit {
		return nil, invalidResponse(resp.Request, "it has more bytes than the limit of %d", limit)
	}
	return content, nil
}
