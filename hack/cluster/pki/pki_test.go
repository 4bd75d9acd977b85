package pki

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
)

func parse(t *testing.T, pair Pair) *x509.Certificate {
	t.Helper()
	loaded, err := tls.X509KeyPair(pair.Certificate, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	return loaded.Leaf
}

func TestLeafIsTrustedForItsHostsOnly(t *testing.T) {
	authority, err := NewAuthority("test")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := authority.Issue(Leaf{CommonName: "server", Hosts: []string{"registry.test", "10.89.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority.Certificate)
	for host, trusted := range map[string]bool{"registry.test": true, "10.89.0.1": true, "elsewhere.test": false} {
		_, err := parse(t, pair).Verify(x509.VerifyOptions{Roots: pool, DNSName: host})
		if (err == nil) != trusted {
			t.Errorf("verifying for %s: %v, want trusted %v", host, err, trusted)
		}
	}
}

func TestClientLeafIsNoServer(t *testing.T) {
	authority, err := NewAuthority("test")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := authority.Issue(Leaf{CommonName: "system:node:node-1", Groups: []string{"system:nodes"}})
	if err != nil {
		t.Fatal(err)
	}
	certificate := parse(t, pair)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority.Certificate)
	if _, err := certificate.Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		t.Errorf("verifying as a client: %v", err)
	}
	if _, err := certificate.Verify(x509.VerifyOptions{Roots: pool}); err == nil {
		t.Error("a client's certificate was accepted for a server")
	}
	if got := certificate.Subject.Organization; len(got) != 1 || got[0] != "system:nodes" {
		t.Errorf("groups are %v, want [system:nodes]", got)
	}
}

func TestOnlyTheOwnerMayReadAKey(t *testing.T) {
	authority, err := NewAuthority("test")
	if err != nil {
		t.Fatal(err)
	}
	base := filepath.Join(t.TempDir(), "ca")
	if err := authority.Write(base); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(base + "-key.pem")
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode != 0o600 {
		t.Errorf("key has mode %o, want 600", mode)
	}
}
