package pki

import (
	"crypto/x509"
	"encoding/pem"
	"path/filepath"
	"testing"
)

func TestAnAuthorityThatWasReadBackSigns(t *testing.T) {
	t.Parallel()
	written, err := NewAuthority("test")
	if err != nil {
		t.Fatal(err)
	}
	base := filepath.Join(t.TempDir(), "ca")
	if err := written.Write(base); err != nil {
		t.Fatal(err)
	}
	read, err := ReadAuthority(base+".pem", base+"-key.pem")
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := read.Issue(Leaf{CommonName: "a", Hosts: []string{"a.test"}})
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(written.Certificate)
	block, _ := pem.Decode(leaf.Certificate)
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := certificate.Verify(x509.VerifyOptions{Roots: roots, DNSName: "a.test"}); err != nil {
		t.Errorf("the leaf is not the first authority's: %v", err)
	}
}
