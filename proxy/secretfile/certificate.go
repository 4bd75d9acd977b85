package secretfile

import (
	"crypto/tls"
	"crypto/x509"
	"path/filepath"
)

// The keys of a Secret of the type kubernetes.io/tls.
const (
	CertificateKey = "tls.crt"
	PrivateKeyKey  = "tls.key"
)

// PairIn are the files of a certificate and its private key in a directory, which has those of a Secret.
func PairIn(directory string) (certificate, key string) {
	return filepath.Join(directory, CertificateKey), filepath.Join(directory, PrivateKeyKey)
}

// ReadPair reads the certificate and the private key of a directory. Errors are *Error.
func ReadPair(directory string) (*tls.Certificate, error) {
	certificateFile, keyFile := PairIn(directory)
	certificate, err := Read(certificateFile)
	if err != nil {
		return nil, err
	}
	key, err := Read(keyFile)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		// The library's own text could quote the file.
		return nil, &Error{File: certificateFile, Problem: "and " + PrivateKeyKey + " beside it are not a PEM certificate and its private key: make the Secret anew (kubectl create secret tls)"}
	}
	return &pair, nil
}

// AddCertificates adds the PEM certificates of a file, of which there must be one, to a pool. Errors are *Error.
func AddCertificates(to *x509.CertPool, file string) error {
	pem, err := Read(file)
	if err != nil {
		return err
	}
	if !to.AppendCertsFromPEM(pem) {
		return &Error{File: file, Problem: "holds no PEM certificate: write the CA's certificate into it"}
	}
	return nil
}
