package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

// Backdate is how long before it is made a certificate is valid, for nodes whose clocks are slow.
const Backdate = time.Hour

// KeyPair is a certificate and its private key. The key may be missing: then the certificate can be trusted, and signs
// nothing any more.
type KeyPair struct {
	Certificate *x509.Certificate
	Key         crypto.Signer
}

// IsZero says whether there is no certificate.
func (p KeyPair) IsZero() bool { return p.Certificate == nil }

// Created is when the certificate was made, by the clock of who made it.
func (p KeyPair) Created() time.Time { return p.Certificate.NotBefore.Add(Backdate) }

// renewal is when two thirds of the certificate's life are over: what is left is time enough for trouble.
func (p KeyPair) renewal() time.Time {
	return p.Created().Add(p.Certificate.NotAfter.Sub(p.Created()) / 3 * 2)
}

// usable says whether the pair can sign at this time.
func (p KeyPair) usable(now time.Time) bool {
	return !p.IsZero() && p.Key != nil && now.Before(p.Certificate.NotAfter)
}

// ParseKeyPair reads a certificate and its key from PEM. It is an error when either is missing, or they are not a pair.
// No error holds anything of the key.
func ParseKeyPair(certificate, key []byte) (KeyPair, error) {
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return KeyPair{}, fmt.Errorf("reading a certificate and its key: %w", err)
	}
	signer, signs := pair.PrivateKey.(crypto.Signer)
	if !signs || pair.Leaf == nil {
		return KeyPair{}, errors.New("reading a certificate and its key: the key cannot sign")
	}
	return KeyPair{Certificate: pair.Leaf, Key: signer}, nil
}

// EncodeCertificate writes a certificate in PEM.
func EncodeCertificate(certificate *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})
}

// EncodeKey writes a pair's private key in PEM, as PKCS #8.
func EncodeKey(pair KeyPair) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(pair.Key)
	if err != nil {
		return nil, fmt.Errorf("encoding a private key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// ParseCertificates reads every certificate of a bundle in PEM. Anything else in it is an error.
func ParseCertificates(bundle []byte) ([]*x509.Certificate, error) {
	var certificates []*x509.Certificate
	for len(bundle) > 0 {
		block, rest := pem.Decode(bundle)
		if block == nil || block.Type != "CERTIFICATE" {
			return nil, errors.New("reading a bundle: it holds something else than PEM certificates")
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("reading a bundle: %w", err)
		}
		certificates, bundle = append(certificates, certificate), rest
	}
	return certificates, nil
}

// sign makes a new key and a certificate for it. parent is nil for a certificate that signs itself.
func sign(template *x509.Certificate, parent *KeyPair) (KeyPair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return KeyPair{}, fmt.Errorf("making a key: %w", err)
	}
	if parent == nil {
		parent = &KeyPair{Certificate: template, Key: key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent.Certificate, key.Public(), parent.Key)
	if err != nil {
		return KeyPair{}, fmt.Errorf("signing a certificate for %s: %w", template.Subject.CommonName, err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return KeyPair{}, fmt.Errorf("reading back a certificate for %s: %w", template.Subject.CommonName, err)
	}
	return KeyPair{Certificate: certificate, Key: key}, nil
}
