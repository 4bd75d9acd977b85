package pki

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"
)

// IssuerCAKey is the key of a Secret with a leaf certificate under which it has, in PEM, who nodes must trust for it. It is
// there for one that somebody else's authority has signed.
const IssuerCAKey = "issuer.crt"

// maxIssuerCA is how many bytes of authorities one certificate may come with: half of what nodes are told of a hub, which may be
// on its way from one to another.
const maxIssuerCA = 16 << 10

// Issued is a leaf certificate that somebody else's authority has signed, on the operator's behalf.
type Issued struct {
	// Certificate is the leaf, and after it what leads to its authority; Key is the leaf's. Both in PEM.
	Certificate, Key []byte
	// CA holds the certificates, in PEM, one of which whoever is shown the leaf has to trust. Each once, in a fixed order.
	CA []byte

	chain []*x509.Certificate
	roots []*x509.Certificate
}

// ReadIssued reads a leaf certificate with its key, and who has signed it. What the error says is for people, and holds
// nothing of the key.
func ReadIssued(certificate, key, authority []byte) (Issued, error) {
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return Issued{}, fmt.Errorf("reading a certificate and its key: %w", err)
	}
	read := Issued{Certificate: certificate, Key: key}
	for _, der := range pair.Certificate {
		one, err := x509.ParseCertificate(der)
		if err != nil {
			return Issued{}, fmt.Errorf("reading what leads from a certificate to its authority: %w", err)
		}
		read.chain = append(read.chain, one)
	}
	if read.roots, err = ParseCertificates(bytes.TrimSpace(authority)); err != nil {
		return Issued{}, err
	}
	if len(read.roots) == 0 {
		return Issued{}, errors.New("there is no certificate authority with it (ca.crt) that nodes could be told to trust")
	}
	if read.CA = inOrder(read.roots); len(read.CA) > maxIssuerCA {
		return Issued{}, fmt.Errorf("there are %d bytes of certificate authorities with it, which every node would be sent; no more than %d are taken", len(read.CA), maxIssuerCA)
	}
	return read, nil
}

// WhyUnfit says why a certificate cannot be shown for the names and addresses of a profile, or "" for one that can.
func (i Issued) WhyUnfit(wanted Profile, now time.Time) string {
	options := x509.VerifyOptions{
		Roots: pool(i.roots), Intermediates: pool(i.chain[1:]), CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{wanted.Usage},
	}
	if _, err := i.chain[0].Verify(options); err != nil {
		return fmt.Sprintf("whoever trusts its certificate authority would refuse it: %v", err)
	}
	return i.WhyOtherNames(wanted)
}

// WhyOtherNames says which name or address of a profile a certificate does not have, or "".
func (i Issued) WhyOtherNames(wanted Profile) string {
	names := slices.Clone(wanted.Hosts)
	for _, address := range wanted.Addresses {
		names = append(names, address.String())
	}
	for _, name := range names {
		if i.chain[0].VerifyHostname(name) != nil {
			return "it is not for " + name
		}
	}
	return ""
}

// Good says whether a certificate can be shown for this much longer.
func (i Issued) Good(now time.Time, longer time.Duration) bool {
	return now.Add(longer).Before(i.chain[0].NotAfter)
}

// Same says whether two are the same certificate with the same authorities.
func (i Issued) Same(other Issued) bool {
	return bytes.Equal(i.Certificate, other.Certificate) && bytes.Equal(i.CA, other.CA)
}

// JoinBundles makes one bundle of several in PEM, with each certificate once and in an order that does not depend on theirs.
// What cannot be read is left out.
func JoinBundles(bundles ...[]byte) []byte {
	var all []*x509.Certificate
	for _, bundle := range bundles {
		read, err := ParseCertificates(bytes.TrimSpace(bundle))
		if err != nil {
			continue
		}
		all = append(all, read...)
	}
	return inOrder(all)
}

// BundleHolds says whether every certificate of a bundle is in another.
func BundleHolds(bundle, wanted []byte) bool {
	return bytes.Equal(JoinBundles(bundle, wanted), JoinBundles(bundle))
}

func inOrder(certificates []*x509.Certificate) []byte {
	certificates = slices.Clone(certificates)
	slices.SortFunc(certificates, func(a, b *x509.Certificate) int { return bytes.Compare(a.Raw, b.Raw) })
	return encodeAll(slices.CompactFunc(certificates, (*x509.Certificate).Equal))
}

func pool(certificates []*x509.Certificate) *x509.CertPool {
	made := x509.NewCertPool()
	for _, certificate := range certificates {
		made.AddCert(certificate)
	}
	return made
}
