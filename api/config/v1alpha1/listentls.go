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
}

func (t *ListenTLS) validate(field string) error {
	if t == nil || t.CertificateDirectory != "" {
		return nil
	}
	return fmt.Errorf("%s.certificateDirectory: required: name the directory that holds tls.crt and tls.key", field)
}
