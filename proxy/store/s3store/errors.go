package s3store

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/minio/minio-go/v7"

	"github.com/registryhub/registryhub/proxy/store"
)

// errChanged says that an object is not in the state that a write depended on.
var errChanged = errors.New("another process wrote it meanwhile")

// errUnconditional says that the server knows no writes that depend on a state.
var errUnconditional = errors.New("the server has no conditional writes")

// typed gives an error the store's own meaning. What is not about the one key that was asked for is about the whole place.
func typed(err error) error {
	if err == nil || errors.Is(err, store.ErrFailing) {
		return err
	}
	answer, ok := errors.AsType[minio.ErrorResponse](err)
	if !ok {
		return fmt.Errorf("%w: %w", store.ErrFailing, err)
	}
	switch answer.Code {
	case minio.NoSuchKey:
		return fmt.Errorf("%w: %w", store.ErrNotFound, err)
	case minio.PreconditionFailed, "ConditionalRequestConflict":
		return fmt.Errorf("%w: %w", errChanged, err)
	case minio.NotImplemented:
		return fmt.Errorf("%w: %w", errUnconditional, err)
	case "QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded":
		return fmt.Errorf("%w: %w", store.ErrNoSpace, err)
	case "InvalidRange", "KeyTooLongError", "BadDigest", "EntityTooLarge", "EntityTooSmall", "NoSuchUpload", "InvalidPart":
		return err
	}
	if answer.StatusCode == http.StatusInsufficientStorage {
		return fmt.Errorf("%w: %w", store.ErrNoSpace, err)
	}
	return fmt.Errorf("%w: %w", store.ErrFailing, err)
}

// answered reports whether an error is what the server said, and not that it said nothing.
func answered(err error) bool {
	_, ok := errors.AsType[minio.ErrorResponse](err)
	return ok || errors.Is(err, errNoCredentials)
}

// isEmptyRange reports whether an object has no byte where some were asked for.
func isEmptyRange(err error) bool {
	answer, ok := errors.AsType[minio.ErrorResponse](err)
	return ok && (answer.Code == "InvalidRange" || answer.StatusCode == http.StatusRequestedRangeNotSatisfiable)
}

// given is the error of a request: the caller's own when it went, and else typed. A server that did not answer is not asked
// for a while.
func (b *bucket) given(caller context.Context, err error) error {
	if err == nil {
		return nil
	}
	if caller.Err() != nil {
		return caller.Err()
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		err = errStalled // not the caller's end, for which it would be taken
	}
	if !answered(err) {
		b.gate.shut(err)
	}
	return typed(err)
}
