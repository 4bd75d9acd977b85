package distspec

import (
	"fmt"
	"net/http"
	"time"
)

// Code is an error code of the specification ("Error Codes").
type Code string

// The codes that are answered. CodeRangeInvalid and CodeUnavailable are not in the specification's table, which
// has none that fits; they are spelled as distribution, and so the clients, know them.
const (
	CodeBlobUnknown         Code = "BLOB_UNKNOWN"
	CodeBlobUploadInvalid   Code = "BLOB_UPLOAD_INVALID"
	CodeBlobUploadUnknown   Code = "BLOB_UPLOAD_UNKNOWN"
	CodeDenied              Code = "DENIED"
	CodeDigestInvalid       Code = "DIGEST_INVALID"
	CodeManifestBlobUnknown Code = "MANIFEST_BLOB_UNKNOWN"
	CodeManifestInvalid     Code = "MANIFEST_INVALID"
	CodeManifestUnknown     Code = "MANIFEST_UNKNOWN"
	CodeNameInvalid         Code = "NAME_INVALID"
	CodeNameUnknown         Code = "NAME_UNKNOWN"
	CodeRangeInvalid        Code = "RANGE_INVALID"
	CodeSizeInvalid         Code = "SIZE_INVALID"
	CodeUnauthorized        Code = "UNAUTHORIZED"
	CodeUnavailable         Code = "UNAVAILABLE"
	CodeUnsupported         Code = "UNSUPPORTED"
)

// DefaultRetryAfter is the Retry-After of a 503 that names none.
const DefaultRetryAfter = 5 * time.Second

// Error is an error as a client sees it. Handlers return it, and WriteError renders it once.
type Error struct {
	// Status is the HTTP status, 400 to 599.
	Status int
	// Code is the specification's error code.
	Code Code
	// Message is for the person who reads the client's log. It is sent as it is, so it holds nothing internal.
	Message string
	// RetryAfter is sent with 503, in whole seconds, rounded up. Default: DefaultRetryAfter.
	RetryAfter time.Duration
	// ContentRange is sent with 416: the object's size as bytes */<size>.
	ContentRange string
	// Err is the cause, for logs; it is never sent. May be nil.
	Err error
}

// NewError makes an Error without a cause.
func NewError(status int, code Code, message string) *Error {
	return &Error{Status: status, Code: code, Message: message}
}

// BlobUnknown says that the upstream has no such blob: 404 BLOB_UNKNOWN.
func BlobUnknown(cause error) *Error {
	return &Error{Status: http.StatusNotFound, Code: CodeBlobUnknown, Message: "the registry has no such blob in this repository", Err: cause}
}

// BlobUploadUnknown says that there is no such upload, or none any more: 404 BLOB_UPLOAD_UNKNOWN. A client begins anew.
func BlobUploadUnknown(cause error) *Error {
	return &Error{Status: http.StatusNotFound, Code: CodeBlobUploadUnknown, Message: "there is no such upload in this repository, or none any more: begin it anew", Err: cause}
}

// ManifestUnknown says that the upstream has no such manifest: 404 MANIFEST_UNKNOWN.
func ManifestUnknown(cause error) *Error {
	return &Error{Status: http.StatusNotFound, Code: CodeManifestUnknown, Message: "the registry has no such manifest in this repository", Err: cause}
}

// Denied says that the upstream refuses the hub: 403 DENIED. It is 403 and never 401, because a client would take
// a challenge as a request for its own credentials, which are not the hub's to ask for.
func Denied(cause error) *Error {
	return &Error{Status: http.StatusForbidden, Code: CodeDenied, Message: "the upstream registry refuses this hub access to the repository", Err: cause}
}

// Unavailable says that the upstream, or the hub itself, cannot answer now: 503 UNAVAILABLE. containerd goes to the
// next host at once.
func Unavailable(cause error) *Error {
	return &Error{Status: http.StatusServiceUnavailable, Code: CodeUnavailable, Message: "the hub cannot answer now: ask the registry itself, or again later", Err: cause}
}

// Error is the error for logs.
func (e *Error) Error() string {
	text := fmt.Sprintf("%d %s: %s", e.Status, e.Code, e.Message)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }
