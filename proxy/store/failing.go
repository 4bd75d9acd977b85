package store

import (
	"context"
	"errors"
)

// ErrFailing says that the place of the store refuses: it is read-only, not permitted, gone or broken. What is in it may
// still be readable, and it may be well again later.
var ErrFailing = errors.New("the place of the store fails")

// Prober is a store that can be asked whether it takes writes. A store need not be one; a caller finds out by type
// assertion.
type Prober interface {
	// Probe writes something small, durably, and removes it. ErrFailing, ErrNoSpace. It may be asked every few
	// seconds.
	Probe(ctx context.Context) error
}
