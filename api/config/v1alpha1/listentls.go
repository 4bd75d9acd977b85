package v1alpha1

import "fmt"

// ListenTLS is what a proxy serves its registry API with. All of its files are followed: changed ones are used for new
// connections without a restart, and while they are unusable what they held before is.
type ListenTLS struct {
	// CertificateDirectory holds the files of a Secret of type kubernetes.io/tls: tls.crt and tls.key. Required.
	CertificateDirectory string `json:"certificateDirectory"`

	// ClientCAFile holds PEM certificates. A client has to show a certificate that one of them signed for client
	// authentication; who shows none is answered 403, which sends containerd on to the upstream, and who shows another is
	// refused in the handshake. Default: nobody is asked for one.
	ClientCAFile string `json:"clientCAFile,omitempty"`

	// AlsoPlain has plain HTTP served at the same address too, to whoever reaches it: a client without TLS cannot be asked
	// for a certificate. It is for the time in which clients go over from one to the other. Default: false.
	AlsoPlain bool `json:"alsoPlain,omitempty"`
}

// SameSchemes says whether two serve the registry API in the same way.
func (l ListenConfiguration) SameSchemes(other ListenConfiguration) bool {
	return (l.TLS == nil) == (other.TLS == nil) && l.tls() == other.tls()
}

// AsksForCertificate says whether nobody is served who does not show a certificate.
func (l ListenConfiguration) AsksForCertificate() bool {
	return l.tls().ClientCAFile != "" && !l.tls().AlsoPlain
}

// tls is the zero value for plain HTTP.
func (l ListenConfiguration) tls() ListenTLS {
	if l.TLS == nil {
		return ListenTLS{}
	}
	return *l.TLS
}

func (t *ListenTLS) validate(field string) error {
	if t == nil || t.CertificateDirectory != "" {
		return nil
	}
	return fmt.Errorf("%s.certificateDirectory: required: name the directory that holds tls.crt and tls.key", field)
}
