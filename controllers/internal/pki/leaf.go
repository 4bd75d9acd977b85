package pki

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"net/netip"
	"slices"
	"time"
)

// Profile is what a leaf certificate should say.
type Profile struct {
	// Name is the subject's common name, for people.
	Name string
	// Hosts and Addresses are what a server is reached by. A client has none.
	Hosts     []string
	Addresses []netip.Addr
	// Usage is what the certificate may be used for, and nothing else.
	Usage x509.ExtKeyUsage
}

// Server is the profile of a hub with these names and addresses.
func Server(name string, hosts []string, addresses []netip.Addr) Profile {
	return Profile{Name: name, Hosts: hosts, Addresses: addresses, Usage: x509.ExtKeyUsageServerAuth}
}

// Client is the profile of who calls hubs.
func Client(name string) Profile { return Profile{Name: name, Usage: x509.ExtKeyUsageClientAuth} }

// Issue makes a leaf certificate that lives this long, and no longer than who signed it.
func (a Authorities) Issue(profile Profile, now time.Time, lifetime time.Duration) (KeyPair, error) {
	signer := a.signer()
	if !signer.usable(now) {
		return KeyPair{}, errors.New("signing a certificate: there is no certificate authority that can")
	}
	end := now.Add(lifetime)
	if signer.Certificate.NotAfter.Before(end) {
		end = signer.Certificate.NotAfter
	}
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: profile.Name},
		DNSNames:    profile.Hosts,
		NotBefore:   now.Add(-Backdate),
		NotAfter:    end,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{profile.Usage},
	}
	for _, address := range profile.Addresses {
		template.IPAddresses = append(template.IPAddresses, address.AsSlice())
	}
	return sign(template, &signer)
}

// Reasons to issue a leaf certificate anew.
const (
	// ReasonMissing: there is none.
	ReasonMissing = "there is none"
	// ReasonUnusable: what is there is no certificate with its key.
	ReasonUnusable = "what is there is not a certificate with its key"
	// ReasonOtherAuthority: the certificate authority of today has not signed it.
	ReasonOtherAuthority = "another certificate authority signed it"
	// ReasonOtherNames: it is not for the names and addresses that are wanted, or for another use.
	ReasonOtherNames = "its names, addresses or use are not those that are wanted"
	// ReasonAge: two thirds of its life are over.
	ReasonAge = "two thirds of its life are over"
)

// WhyIssue says why a leaf certificate, as a Secret holds it, is to be made anew, or "" for a good one, with the pair.
func (a Authorities) WhyIssue(certificate, key []byte, wanted Profile, now time.Time) (pair KeyPair, reason string) {
	if len(certificate) == 0 && len(key) == 0 {
		return KeyPair{}, ReasonMissing
	}
	pair, err := ParseKeyPair(certificate, key)
	if err != nil {
		return KeyPair{}, ReasonUnusable
	}
	switch {
	case !a.signed(pair.Certificate):
		reason = ReasonOtherAuthority
	case !wanted.describes(pair.Certificate):
		reason = ReasonOtherNames
	case !now.Before(pair.renewal()):
		reason = ReasonAge
	}
	return pair, reason
}

// signed says whether the current authority has signed the certificate. While its key is lost, what any authority signed
// is good: nodes trust it, and need not trust yet what would be signed instead.
func (a Authorities) signed(leaf *x509.Certificate) bool {
	if a.Current.Key != nil {
		return signedBy(leaf, a.Current.Certificate)
	}
	return slices.ContainsFunc(a.trusted(), func(c *x509.Certificate) bool { return signedBy(leaf, c) })
}

func signedBy(leaf, authority *x509.Certificate) bool {
	return leaf.CheckSignatureFrom(authority) == nil
}

func (p Profile) describes(certificate *x509.Certificate) bool {
	var addresses []string
	for _, address := range certificate.IPAddresses {
		addresses = append(addresses, address.String())
	}
	wanted := make([]string, 0, len(p.Addresses))
	for _, address := range p.Addresses {
		wanted = append(wanted, address.String())
	}
	return sameSet(certificate.DNSNames, p.Hosts) && sameSet(addresses, wanted) &&
		slices.Equal(certificate.ExtKeyUsage, []x509.ExtKeyUsage{p.Usage})
}

func sameSet(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// Renewal is when a good leaf certificate is due to be made anew.
func Renewal(pair KeyPair) time.Time { return pair.renewal() }
