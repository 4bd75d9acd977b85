// Package localregistry runs registries that tests push to.
package localregistry

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-logr/logr"
	"golang.org/x/crypto/bcrypt"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/hack/cluster/pki"
	"github.com/registryhub/registryhub/proxy"
)

// Place is what replicas share.
type Place struct {
	// Directory of the store, and Keys of what is signed.
	Directory, Keys string
	// Access is local.access of a ProxyConfiguration, in YAML.
	Access string
	// Certificate is the directory of what it is served with over TLS. Default: plain HTTP.
	Certificate string
}

// NewPlace is an empty place with a key.
func NewPlace(tb testing.TB, access string) Place {
	tb.Helper()
	place := Place{Directory: tb.TempDir(), Keys: tb.TempDir(), Access: access}
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	must(tb, os.WriteFile(filepath.Join(place.Keys, config.LocalKeyCurrent), key, 0o600))
	return place
}

// Serve runs a registry until the test ends, and returns its address on loopback.
func (p Place) Serve(tb testing.TB) string {
	tb.Helper()
	cfg, err := config.DecodeProxyConfiguration(fmt.Appendf(nil, `
apiVersion: config.registryhub.io/v1alpha1
kind: ProxyConfiguration
hub: internal
listen: {registry: "127.0.0.1:0", diagnostics: "127.0.0.1:0"}
store: {directory: %q}
local: {keysDirectory: %q, access: %s}
`, p.Directory, p.Keys, p.Access))
	must(tb, err)
	if p.Certificate != "" {
		cfg.Listen.TLS = &config.ListenTLS{CertificateDirectory: p.Certificate}
	}
	return Run(tb, cfg)
}

// Run runs a proxy until the test ends, and returns the address of its registry API.
func Run(tb testing.TB, cfg *config.ProxyConfiguration) string {
	tb.Helper()
	server, err := proxy.New(cfg, proxy.Options{Logger: logr.Discard()})
	must(tb, err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	tb.Cleanup(func() {
		stop()
		must(tb, <-ended)
	})
	return server.RegistryAddr().String()
}

// Certify makes a certificate for loopback, and returns its directory and the CA that signed it, as PEM.
func Certify(tb testing.TB) (directory string, authority []byte) {
	tb.Helper()
	made, err := pki.NewAuthority("test")
	must(tb, err)
	leaf, err := made.Issue(pki.Leaf{CommonName: "test", Hosts: []string{"127.0.0.1"}})
	must(tb, err)
	directory = tb.TempDir()
	must(tb, os.WriteFile(filepath.Join(directory, "tls.crt"), leaf.Certificate, 0o600))
	must(tb, os.WriteFile(filepath.Join(directory, "tls.key"), leaf.Key, 0o600))
	return directory, made.Certificate
}

// Users writes a file with one user, and returns its path.
func Users(tb testing.TB, user, password string) string {
	tb.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	must(tb, err)
	file := filepath.Join(tb.TempDir(), "users")
	must(tb, os.WriteFile(file, []byte(user+":"+string(hash)+"\n"), 0o600))
	return file
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
