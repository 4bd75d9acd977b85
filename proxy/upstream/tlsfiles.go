package upstream

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"slices"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
)

// The keys of a Secret of the type kubernetes.io/tls.
const (
	certificateKey = "tls.crt"
	privateKeyKey  = "tls.key"
)

// tlsFiles are the files that TLS with an upstream depends on. An empty path means none.
type tlsFiles struct {
	ca, certificate, key string
}

func tlsFilesOf(cfg config.UpstreamConfiguration) tlsFiles {
	files := tlsFiles{ca: cfg.CAFile}
	if directory := cfg.ClientCertificateDirectory; directory != "" {
		files.certificate, files.key = filepath.Join(directory, certificateKey), filepath.Join(directory, privateKeyKey)
	}
	return files
}

// certificates are what the files hold.
type certificates struct {
	roots *x509.CertPool
	// own is shown to the upstream; nil for none.
	own *tls.Certificate
}

// read reads all of them. Errors are *FileError.
func (f tlsFiles) read() (certificates, error) {
	roots, err := trustedRoots(f.ca)
	if err != nil {
		return certificates{}, err
	}
	own, err := f.keyPair()
	return certificates{roots: roots, own: own}, err
}

func (f tlsFiles) keyPair() (*tls.Certificate, error) {
	if f.certificate == "" {
		return nil, nil
	}
	certificate, err := readFile(f.certificate)
	if err != nil {
		return nil, err
	}
	key, err := readFile(f.key)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		// The library's own text could quote the file.
		return nil, &FileError{File: f.certificate, Problem: "and " + privateKeyKey + " beside it are not a PEM certificate and its private key: make the Secret anew (kubectl create secret tls)"}
	}
	return &pair, nil
}

// trustedRoots are the public roots and, beside them, those of the file; nil means the public ones alone.
func trustedRoots(caFile string) (*x509.CertPool, error) {
	if caFile == "" {
		return nil, nil
	}
	pem, err := readFile(caFile)
	if err != nil {
		return nil, err
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool() // No system roots to read: the file's must do.
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, &FileError{File: caFile, Problem: "holds no PEM certificate: write the CA's certificate into it"}
	}
	return roots, nil
}

// look tells versions of the files apart without reading them: who mounts a Secret, or writes a file as one should,
// swaps it for another file. nil stands for one that is not there.
func (f tlsFiles) look() []os.FileInfo {
	var seen []os.FileInfo
	for _, path := range []string{f.ca, f.certificate, f.key} {
		if path == "" {
			continue
		}
		info, err := os.Stat(path)
		if err != nil {
			info = nil // Reading it says why.
		}
		seen = append(seen, info)
	}
	return seen
}

func sameFiles(a, b []os.FileInfo) bool {
	return slices.EqualFunc(a, b, func(x, y os.FileInfo) bool {
		if x == nil || y == nil {
			return x == nil && y == nil
		}
		return os.SameFile(x, y) && x.ModTime().Equal(y.ModTime()) && x.Size() == y.Size()
	})
}
