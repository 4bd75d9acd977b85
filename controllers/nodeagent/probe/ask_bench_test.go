package probe

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"math/big"
	"net"
	"net/http/httptest"
	"syscall"
	"testing"
	"time"
)

// BenchmarkQuestion is what one question costs both sides together, in processor time: over HTTP, and over TLS with client
// certificates, as a proxy of ours serves it: by a whole handshake, and by one that resumes the session before. docs/nodemirror.md has the figures.
func BenchmarkQuestion(b *testing.B) {
	pool, pair := ownAuthority(b)
	b.Run("HTTP", func(b *testing.B) {
		server := httptest.NewServer(answer(200))
		defer server.Close()
		askAgain(b, server.URL, nil)
	})
	for name, whole := range map[string]bool{"TLS": false, "TLS, whole handshakes": true} {
		b.Run(name, func(b *testing.B) {
			server := httptest.NewUnstartedServer(answer(200))
			server.TLS = &tls.Config{
				Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert, SessionTicketsDisabled: whole,
			}
			server.Config.ErrorLog = log.New(io.Discard, "", 0)
			server.StartTLS()
			defer server.Close()
			askAgain(b, server.URL, TLS(pool, pair))
		})
	}
}

func askAgain(b *testing.B, endpoint string, config *tls.Config) {
	b.Helper()
	before := processorTime(b)
	for b.Loop() {
		if err := ask(b.Context(), Target{Endpoint: endpoint}, config, generous); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((processorTime(b)-before).Microseconds())/float64(b.N), "cpu-us/op")
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// ownAuthority signs itself, and is good for a server on loopback and for a client.
func ownAuthority(b *testing.B) (*x509.CertPool, tls.Certificate) {
	b.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		b.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		b.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return pool, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}
