package upstream

import (
	"crypto/tls"
	"crypto/x509"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy/secretfile"
)

// tlsFiles are what TLS with an upstream depends on: a file of CAs and the directory of a client certificate. An empty path
// means none.
type tlsFiles struct{ ca, pair string }

func tlsFilesOf(cfg config.UpstreamConfiguration) tlsFiles {
	return tlsFiles{ca: cfg.CAFile, pair: cfg.ClientCertificateDirectory}
}

// certificates are what the files hold.
type certificates struct {
	roots *x509.CertPool
	// own is shown to the upstream; nil for none.
	own *tls.Certificate
}

// read reads all of them. Errors are *secretfile.Error.
func (f tlsFiles) read() (certificates, error) {
	roots, err := trustedRoots(f.ca)
	if err != nil || f.pair == "" {
		return certificates{roots: roots}, err
	}
	own, err := secretfile.ReadPair(f.pair)
	return certificates{roots: roots, own: own}, err
}

// trustedRoots are the public roots and, beside them, those of the file; nil means the public ones alone.
func trustedRoots(caFile string) (*x509.CertPool, error) {
	if caFile == "" {
		return nil, nil
	}
	trustPublicRoots()
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool() // No system roots to read: the file's must do.
	}
	return roots, secretfile.AddCertificates(roots, caFile)
}

func (f tlsFiles) look() secretfile.Versions {
	if f.pair == "" {
		return secretfile.Look(f.ca)
	}
	certificate, key := secretfile.PairIn(f.pair)
	return secretfile.Look(f.ca, certificate, key)
}
