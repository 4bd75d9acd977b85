// Package pki makes the certificates of the test cluster: authorities, and leaves of them.
package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"time"
)

// lifetime is long enough for a cluster that is made anew for each round of tests.
const lifetime = 365 * 24 * time.Hour

// Pair is a certificate and its key, each as PEM.
type Pair struct {
	Certificate, Key []byte
}

// Write stores the pair as base.pem and base-key.pem; only the owner may read the key.
func (p Pair) Write(base string) error {
	if err := os.WriteFile(base+".pem", p.Certificate, 0o644); err != nil {
		return fmt.Errorf("storing a certificate: %w", err)
	}
	if err := os.WriteFile(base+"-key.pem", p.Key, 0o600); err != nil {
		return fmt.Errorf("storing a key: %w", err)
	}
	return nil
}

// Authority signs certificates.
type Authority struct {
	Pair
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// Load reads the authority that [Pair.Write] stored at base.
func Load(base string) (*Authority, error) {
	loaded, err := tls.LoadX509KeyPair(base+".pem", base+"-key.pem")
	if err != nil {
		return nil, fmt.Errorf("loading an authority: %w", err)
	}
	key, ok := loaded.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s-key.pem holds a %T, want an ECDSA key", base, loaded.PrivateKey)
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: loaded.Leaf.Raw})
	encodedKey, err := keyPEM(key)
	if err != nil {
		return nil, err
	}
	return &Authority{Pair: Pair{Certificate: certificate, Key: encodedKey}, certificate: loaded.Leaf, key: key}, nil
}

// Pool returns a pool with the certificates of a PEM file.
func Pool(file string) (*x509.CertPool, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("loading an authority's certificate: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(content) {
		return nil, fmt.Errorf("%s holds no certificate", file)
	}
	return pool, nil
}

// NewAuthority makes a self-signed authority called name.
func NewAuthority(name string) (*Authority, error) {
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: name},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature | x509.KeyUsageCRLSign,
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a key for the authority %s: %w", name, err)
	}
	pair, err := sign(template, template, key, key)
	if err != nil {
		return nil, fmt.Errorf("making the authority %s: %w", name, err)
	}
	block, _ := pem.Decode(pair.Certificate)
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("reading back the authority %s: %w", name, err)
	}
	return &Authority{Pair: pair, certificate: certificate, key: key}, nil
}

// Leaf describes a certificate for a client, a server, or both.
type Leaf struct {
	// CommonName is the user name of a client towards the API server.
	CommonName string
	// Groups are the groups of a client towards the API server.
	Groups []string
	// Hosts are the names and addresses of a server; without any, the leaf is a client's only.
	Hosts []string
}

// Issue makes a key and a certificate for leaf.
func (a *Authority) Issue(leaf Leaf) (Pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Pair{}, fmt.Errorf("making a key for %s: %w", leaf.CommonName, err)
	}
	pair, err := sign(leaf.template(), a.certificate, key, a.key)
	if err != nil {
		return Pair{}, fmt.Errorf("issuing a certificate for %s: %w", leaf.CommonName, err)
	}
	return pair, nil
}

func (l Leaf) template() *x509.Certificate {
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: l.CommonName, Organization: l.Groups},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if len(l.Hosts) > 0 {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	for _, host := range l.Hosts {
		if address := net.ParseIP(host); address != nil {
			template.IPAddresses = append(template.IPAddresses, address)
			continue
		}
		template.DNSNames = append(template.DNSNames, host)
	}
	return template
}

// sign completes template with what every certificate has, and signs it.
func sign(template, parent *x509.Certificate, key, parentKey *ecdsa.PrivateKey) (Pair, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return Pair{}, fmt.Errorf("drawing a serial number: %w", err)
	}
	template.SerialNumber = serial
	template.NotBefore = time.Now().Add(-time.Hour)
	template.NotAfter = template.NotBefore.Add(lifetime)
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, parentKey)
	if err != nil {
		return Pair{}, fmt.Errorf("signing: %w", err)
	}
	encodedKey, err := keyPEM(key)
	if err != nil {
		return Pair{}, err
	}
	return Pair{Certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), Key: encodedKey}, nil
}

func keyPEM(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encoding a key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}
