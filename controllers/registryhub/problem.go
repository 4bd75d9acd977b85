package registryhub

import (
	"errors"

	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/internal/apply"
)

// problem is what only a person can change: the hub is Stalled with this reason.
type problem struct {
	reason  string
	message string
}

// invalidSpecError says that the spec holds what the API server could not check.
type invalidSpecError struct{ err error }

func (e *invalidSpecError) Error() string { return e.err.Error() }
func (e *invalidSpecError) Unwrap() error { return e.err }

// stall notes a problem where the error is one, and returns the error in the form that says whether trying again
// may help: an invalid object stays so until somebody changes it, a quota may make room at any time.
func (s *scope) stall(err error) error {
	var invalid *invalidSpecError
	var refused *apply.RefusedError
	switch {
	case errors.As(err, &invalid):
		s.problem = &problem{reason: v1alpha1.ReasonInvalidSpec, message: err.Error()}
		return reconcile.TerminalError(err)
	case errors.As(err, &refused) && refused.Invalid:
		s.problem = &problem{reason: v1alpha1.ReasonInvalidSpec, message: err.Error()}
		return reconcile.TerminalError(err)
	case errors.As(err, &refused):
		s.problem = &problem{reason: v1alpha1.ReasonRefused, message: err.Error()}
	}
	return err
}
