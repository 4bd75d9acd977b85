package pki

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"slices"
	"time"
)

// Authorities are the certificate authorities that are trusted at one time. All of them are in the bundle that nodes and
// hubs trust; one signs.
type Authorities struct {
	// Current has signed what is in use. Its key may be lost: then Next signs what has to be made.
	Current KeyPair
	// Next is trusted already and signs nothing yet. There need not be one.
	Next KeyPair
	// Previous are still trusted, for what they have signed, the newest first.
	Previous []*x509.Certificate
}

// Keys of the Secret that the authorities are kept in.
const (
	currentCertificate  = "current.crt"
	currentKey          = "current.key"
	nextCertificate     = "next.crt"
	nextKey             = "next.key"
	previousCertificate = "previous.crt"
)

// Lost says what of a Secret's data could not be read, in words without secrets; none when all could.
type Lost []string

// ReadAuthorities reads what a Secret holds, as far as it can be read. lastBundle is the bundle that was published last:
// what it holds stays trusted when the Secret has lost it, so that certificates in use stay good.
func ReadAuthorities(data map[string][]byte, lastBundle []byte) (Authorities, Lost) {
	var a Authorities
	var lost Lost
	a.Current, lost = readPair(data, currentCertificate, currentKey, lost)
	a.Next, lost = readPair(data, nextCertificate, nextKey, lost)
	previous, err := ParseCertificates(data[previousCertificate])
	if err != nil {
		lost = append(lost, previousCertificate)
	}
	published, err := ParseCertificates(lastBundle)
	if err != nil {
		lost = append(lost, "the published bundle")
	}
	if len(lost) > 0 || a.Current.IsZero() {
		previous = append(previous, published...)
	}
	for _, certificate := range previous {
		a.adopt(certificate)
	}
	return a, lost
}

func readPair(data map[string][]byte, certificate, key string, lost Lost) (KeyPair, Lost) {
	if len(data[certificate]) == 0 && len(data[key]) == 0 {
		return KeyPair{}, lost
	}
	if len(data[key]) == 0 {
		if kept, err := ParseCertificates(data[certificate]); err == nil && len(kept) == 1 && kept[0].IsCA {
			return KeyPair{Certificate: kept[0]}, lost
		}
	}
	pair, err := ParseKeyPair(data[certificate], data[key])
	if err != nil || !pair.Certificate.IsCA {
		return KeyPair{}, append(lost, certificate)
	}
	return pair, lost
}

// adopt trusts a certificate that nothing else has. Without a current one it takes that place, without a key.
func (a *Authorities) adopt(certificate *x509.Certificate) {
	switch {
	case !certificate.IsCA || a.trusts(certificate):
	case a.Current.IsZero():
		a.Current = KeyPair{Certificate: certificate}
	default:
		a.Previous = append(a.Previous, certificate)
	}
}

// Data is what the Secret should hold.
func (a Authorities) Data() (map[string][]byte, error) {
	data := map[string][]byte{}
	for _, kept := range []struct {
		certificate, key string
		pair             KeyPair
	}{{currentCertificate, currentKey, a.Current}, {nextCertificate, nextKey, a.Next}} {
		if kept.pair.IsZero() {
			continue
		}
		data[kept.certificate] = EncodeCertificate(kept.pair.Certificate)
		if kept.pair.Key == nil {
			continue
		}
		key, err := EncodeKey(kept.pair)
		if err != nil {
			return nil, err
		}
		data[kept.key] = key
	}
	if len(a.Previous) > 0 {
		data[previousCertificate] = encodeAll(a.Previous)
	}
	return data, nil
}

// Bundle is what nodes and hubs trust, in PEM. It is the same for the same authorities, whatever the part of each: when
// the next one becomes the current one, nobody need be told.
func (a Authorities) Bundle() []byte {
	trusted := a.trusted()
	slices.SortFunc(trusted, func(x, y *x509.Certificate) int {
		if order := x.NotBefore.Compare(y.NotBefore); order != 0 {
			return order
		}
		return bytes.Compare(x.Raw, y.Raw)
	})
	return encodeAll(trusted)
}

// CanSign says whether there is an authority that can issue certificates at this time.
func (a Authorities) CanSign(now time.Time) bool { return a.signer().usable(now) }

func (a Authorities) trusted() []*x509.Certificate {
	trusted := slices.Clone(a.Previous)
	for _, pair := range []KeyPair{a.Current, a.Next} {
		if !pair.IsZero() {
			trusted = append(trusted, pair.Certificate)
		}
	}
	return trusted
}

func (a Authorities) trusts(certificate *x509.Certificate) bool {
	return slices.ContainsFunc(a.trusted(), certificate.Equal)
}

// signer is the authority that signs: the current one, or the next one while the key of the current one is lost.
func (a Authorities) signer() KeyPair {
	if a.Current.Key == nil {
		return a.Next
	}
	return a.Current
}

func encodeAll(certificates []*x509.Certificate) []byte {
	var out bytes.Buffer
	for _, certificate := range certificates {
		out.Write(EncodeCertificate(certificate))
	}
	return out.Bytes()
}

// newAuthority makes a certificate authority. Its name tells it from others for who looks at a bundle.
func newAuthority(now time.Time, lifetime time.Duration) (KeyPair, error) {
	return sign(&x509.Certificate{
		Subject:               pkix.Name{CommonName: "RegistryHub CA " + now.UTC().Format("20060102T150405Z")},
		NotBefore:             now.Add(-Backdate),
		NotAfter:              now.Add(lifetime),
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign,
	}, nil)
}
