package upstream

import (
	"crypto/x509"
	"sync"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// trustPublicRoots has certificates verified by the public roots where the system has none, as in an image that holds no
// file but the binary. To parse them all takes milliseconds of the start, so that it waits for the first request:
// what is in the cache is served without.
var trustPublicRoots = sync.OnceFunc(func() { x509.SetFallbackRoots(publicRoots()) })

// Roots are the public roots and, beside them, the PEM certificates of a file, where one is named. Errors are
// *secretfile.Error.
func Roots(caFile string) (*x509.CertPool, error) {
	trustPublicRoots()
	return trustedRoots(caFile)
}

func publicRoots() *x509.CertPool {
	roots := x509.NewCertPool()
	for root := range bundle.Roots() {
		certificate, err := x509.ParseCertificate(root.Certificate)
		switch {
		case err != nil: // one root the less, should it come to that
		case root.Constraint == nil:
			roots.AddCert(certificate)
		default:
			roots.AddCertWithConstraint(certificate, root.Constraint)
		}
	}
	return roots
}
