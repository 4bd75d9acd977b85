package nodeagent

import (
	"errors"
	"syscall"

	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/nodeagent/certsd"
)

// reasonOf is that of the error for which a host is not wired.
func reasonOf(err error) string {
	var foreign *certsd.ForeignError
	var unadopted *certsd.AdoptError
	var unreachable *unreachableError
	var unproven *unprovenError
	var unknownRoots *unknownRootsError
	var declined *declinedError
	switch {
	case errors.As(err, &foreign), errors.As(err, &unadopted):
		return v1alpha1.NodeReasonForeignHostsFile
	case errors.As(err, &unreachable):
		return v1alpha1.NodeReasonHubUnreachable
	case errors.As(err, &declined):
		return v1alpha1.NodeReasonFallbackRefused
	case errors.Is(err, errNoClientCertificate):
		return v1alpha1.NodeReasonNoClientCertificate
	case errors.As(err, &unproven):
		return unproven.Reason
	case errors.As(err, &unknownRoots):
		return v1alpha1.NodeReasonRuntimeUnknown
	case errors.Is(err, syscall.EROFS):
		return v1alpha1.NodeReasonReadOnlyHost
	default:
		return v1alpha1.NodeReasonWriteFailed
	}
}
