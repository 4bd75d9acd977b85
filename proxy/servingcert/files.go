package servingcert

import (
	"crypto/tls"
	"crypto/x509"
	"path/filepath"
	"time"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy/secretfile"
)

// files are what a server's TLS depends on.
type files struct{ config.ListenTLS }

func (f files) look() secretfile.Versions {
	certificate, key := secretfile.PairIn(f.CertificateDirectory)
	return secretfile.Look(certificate, key, f.ClientCAFile)
}

// followed has a file of each directory: one that is told of in a directory is told of for all in it.
func (f files) followed() []string {
	certificate, _ := secretfile.PairIn(f.CertificateDirectory)
	if f.ClientCAFile == "" || filepath.Dir(f.ClientCAFile) == filepath.Dir(certificate) {
		return []string{certificate}
	}
	return []string{certificate, f.ClientCAFile}
}

// read makes a configuration of what the files hold, and says until when the certificate is good. Errors are
// *secretfile.Error.
func (f files) read() (*tls.Config, time.Time, error) {
	pair, err := secretfile.ReadPair(f.CertificateDirectory)
	if err != nil {
		return nil, time.Time{}, err
	}
	served := resumable(base())
	served.Certificates = []tls.Certificate{*pair}
	if f.ClientCAFile != "" {
		served.ClientCAs, served.ClientAuth = x509.NewCertPool(), tls.VerifyClientCertIfGiven
		err = secretfile.AddCertificates(served.ClientCAs, f.ClientCAFile)
	}
	return served, pair.Leaf.NotAfter, err
}

// base is what does not change with the files.
func base() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
		DynamicRecordSizingDisabled: true, // what is sent is large, and clients are near
	}
}

// resumable has sessions resumed for as long as the configuration is in force, and no longer: one that was begun under other
// files would let in who showed a certificate of a CA that is gone, and hide a certificate that nobody believes. crypto/tls
// would seal them with keys that outlive the files, those of the configuration that leads to this one.
func resumable(served *tls.Config) *tls.Config {
	served.WrapSession = served.EncryptTicket
	served.UnwrapSession = served.DecryptTicket
	return served
}
