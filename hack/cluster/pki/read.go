package pki

import (
	"crypto/ecdsa"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
)

// ReadAuthority reads an authority that [Pair.Write] stored.
func ReadAuthority(certificateFile, keyFile string) (*Authority, error) {
	certificate, err := os.ReadFile(certificateFile)
	if err != nil {
		return nil, fmt.Errorf("reading an authority: %w", err)
	}
	key, err := os.ReadFile(keyFile)
	if err != nil {
		return nil, fmt.Errorf("reading an authority's key: %w", err)
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return nil, fmt.Errorf("reading the authority in %s: %w", certificateFile, err)
	}
	private, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return nil, errors.New("reading an authority: its key is not an ECDSA key")
	}
	return &Authority{Pair: Pair{Certificate: certificate, Key: key}, certificate: pair.Leaf, key: private}, nil
}
