package contender

import (
	"crypto/x509"

	"github.com/registryhub/registryhub/hack/cluster/pki"
)

// makeCertificate puts tls.crt and tls.key into the place, and returns what trusts them.
func (s *Server) makeCertificate() (*x509.CertPool, error) {
	authority := s.place.Authority
	if authority == nil {
		var err error
		if authority, err = pki.NewAuthority("bench"); err != nil {
			return nil, err
		}
	}
	leaf, err := authority.Issue(pki.Leaf{CommonName: "bench", Hosts: []string{s.place.IP}})
	if err != nil {
		return nil, err
	}
	if _, err := s.configure("tls.crt", string(leaf.Certificate)); err != nil {
		return nil, err
	}
	if _, err := s.configure("tls.key", string(leaf.Key)); err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority.Certificate)
	return roots, nil
}
