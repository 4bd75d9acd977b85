package upstream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Where says which request an error speaks of. It holds no query: that of a signed URL is a credential.
type Where struct {
	// Method is GET, HEAD or POST.
	Method string
	// Host that answered last, with its port: the upstream, its token server, or where a redirect led.
	Host string
	// Path of that request.
	Path string
}

func (w Where) String() string { return w.Method + " " + w.Host + w.Path }

// StatusError is the final HTTP status of a request, after the whole exchange of tokens and every redirect.
type StatusError struct {
	Where

	// Status is the HTTP status.
	Status int
	// Code is the first error code of the answer's body, such as TOOMANYREQUESTS; empty when it has none.
	Code string
	// RetryAfter is what the answer asks to wait; 0 when it does not say. At most an hour.
	RetryAfter time.Duration
}

// Error says what was asked and what the answer was.
func (e *StatusError) Error() string {
	text := fmt.Sprintf("%s: the answer is %d %s", e.Where, e.Status, http.StatusText(e.Status))
	if e.Code != "" {
		text += " (" + e.Code + ")"
	}
	return text
}

// UnreachableError says that there is no answer, or not all of one: no connection, a broken one, a time-out, a stall,
// or a token server that answers neither with a token nor with a refusal.
type UnreachableError struct {
	Where

	// Err is the cause. It holds no URL.
	Err error
}

// Error says what was asked and what went wrong.
func (e *UnreachableError) Error() string { return fmt.Sprintf("%s: %v", e.Where, e.Err) }

// Unwrap is the cause.
func (e *UnreachableError) Unwrap() error { return e.Err }

// InvalidResponseError says that an answer came and cannot be used: it breaks the specification or a limit, has
// other bytes than its digest says, or leads to where credentials or content must not go.
type InvalidResponseError struct {
	Where

	// Reason says what is wrong with it.
	Reason string
}

// Error says what was asked and what is wrong with the answer.
func (e *InvalidResponseError) Error() string {
	return fmt.Sprintf("%s: the answer is refused: %s", e.Where, e.Reason)
}

// ShorterError says that an upstream has fewer bytes of a blob than lie before the offset that was asked for: what the caller has of
// it is of another blob, or the answer is no blob.
type ShorterError struct {
	*InvalidResponseError

	// Size is what the upstream says that the blob has, in bytes, and Offset what was asked for.
	Size, Offset int64
}

// Unwrap is the error of an answer that cannot be used, which this is too.
func (e *ShorterError) Unwrap() error { return e.InvalidResponseError }

// unsentError is the error of a request that was not sent, because of what earlier ones met.
type unsentError struct{ error }

// Error says that nothing was asked.
func (e unsentError) Error() string { return "not sent: " + e.error.Error() }

func (e unsentError) Unwrap() error { return e.error }

// IsUnsent reports whether nothing was asked of the upstream, since earlier requests met an error of the kind that err
// is: the upstream does not answer (UnreachableError), or wants to be left alone (StatusError of 429).
func IsUnsent(err error) bool { return isType[unsentError](err) }

// IsNotFound reports whether the upstream says that there is no such thing: 404 or 410.
func IsNotFound(err error) bool { return isStatus(err, http.StatusNotFound, http.StatusGone) }

// IsUnauthorized reports whether the upstream, or its token server, refuses the credentials or the lack of them:
// 401 or 403.
func IsUnauthorized(err error) bool {
	return isStatus(err, http.StatusUnauthorized, http.StatusForbidden)
}

// IsUnavailable reports whether the upstream is in trouble, so that another upstream or a stale answer helps: no
// answer (UnreachableError, a passed deadline), 408, 429, or any 5xx. A context that was cancelled is not the
// upstream's trouble.
func IsUnavailable(err error) bool {
	if errors.Is(err, context.Canceled) {
		return false
	}
	if s, ok := errors.AsType[*StatusError](err); ok {
		return s.Status >= 500 || s.Status == http.StatusTooManyRequests || s.Status == http.StatusRequestTimeout
	}
	_, ok := errors.AsType[*UnreachableError](err)
	return ok || errors.Is(err, context.DeadlineExceeded)
}

// IsPassing reports whether the trouble may have gone the next moment, so that the same question is worth another try: a
// connection that was refused or broke, 408, or 5xx without a Retry-After. Not a time-out, which has cost enough, nor what
// was not sent.
func IsPassing(err error) bool {
	if IsUnsent(err) || IsStalled(err) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return false
	}
	if late, ok := errors.AsType[net.Error](err); ok && late.Timeout() {
		return false
	}
	if s, ok := errors.AsType[*StatusError](err); ok {
		return s.RetryAfter == 0 && (s.Status >= 500 || s.Status == http.StatusRequestTimeout)
	}
	return isType[*UnreachableError](err)
}

// IsStalled reports whether a transfer was broken off because no byte came for too long (Timeouts.Idle).
func IsStalled(err error) bool { return errors.Is(err, errStalled) }

// IsInvalidResponse reports whether the upstream's answer cannot be used (InvalidResponseError).
func IsInvalidResponse(err error) bool {
	_, ok := errors.AsType[*InvalidResponseError](err)
	return ok
}

// IsShorter reports whether the upstream has fewer bytes of a blob than lie before the offset (ShorterError).
func IsShorter(err error) bool { return isType[*ShorterError](err) }

// Status is the final HTTP status in err, or 0 when there is none.
func Status(err error) int {
	if s, ok := errors.AsType[*StatusError](err); ok {
		return s.Status
	}
	return 0
}

func isStatus(err error, statuses ...int) bool {
	got := Status(err)
	for _, status := range statuses {
		if got == status {
			return true
		}
	}
	return false
}
