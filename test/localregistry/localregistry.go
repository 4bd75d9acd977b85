// Package localregistry runs registries that tests push to.
package localregistry

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-logr/logr"
	"golang.org/x/crypto/bcrypt"
	"k8s.io/apimachinery/pkg/api/resource"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/hack/cluster/pki"
	"github.com/registryhub/registryhub/hack/s3server"
	"github.com/registryhub/registryhub/proxy"
)

// Place is what replicas share.
type Place struct {
	// Store returns store of a ProxyConfiguration for one replica more.
	Store func(tb testing.TB) config.StoreConfiguration
	// Keys is the directory of what is signed with.
	Keys string
	// Access is local.access of a ProxyConfiguration, in YAML.
	Access string
	// Certificate is the directory of what it is served with over TLS. Default: plain HTTP.
	Certificate string
}

// NewPlace is an empty directory, with a key.
func NewPlace(tb testing.TB, access string) Place {
	tb.Helper()
	directory := tb.TempDir()
	return newPlace(tb, access, func(testing.TB) config.StoreConfiguration { return config.StoreConfiguration{Directory: directory} })
}

// NewBucket is an empty bucket of a server of its own, with a key.
func NewBucket(tb testing.TB, access string) Place {
	tb.Helper()
	server, err := s3server.Start(context.Background(), s3server.Options{Directory: tb.TempDir()})
	must(tb, err)
	tb.Cleanup(func() { must(tb, server.Stop()) })
	must(tb, server.MakeBucket("images"))
	credentials := tb.TempDir()
	must(tb, s3server.WriteKeys(credentials))
	return newPlace(tb, access, func(tb testing.TB) config.StoreConfiguration {
		tb.Helper()
		return config.StoreConfiguration{Directory: tb.TempDir(), S3: &config.S3StoreConfiguration{
			Endpoint: server.Endpoint(), Bucket: "images", CredentialsDirectory: credentials, MaxSize: resource.MustParse("1Gi"),
		}}
	})
}

func newPlace(tb testing.TB, access string, place func(testing.TB) config.StoreConfiguration) Place {
	tb.Helper()
	keys := tb.TempDir()
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	must(tb, os.WriteFile(filepath.Join(keys, config.LocalKeyCurrent), key, 0o600))
	return Place{Store: place, Keys: keys, Access: access}
}

// Serve runs a registry until the test ends, and returns its address on loopback.
func (p Place) Serve(tb testing.TB) string {
	tb.Helper()
	place, err := json.Marshal(p.Store(tb))
	must(tb, err)
	cfg, err := config.DecodeProxyConfiguration(fmt.Appendf(nil, `
apiVersion: config.registryhub.io/v1alpha1
kind: ProxyConfiguration
hub: internal
listen: {registry: "127.0.0.1:0", diagnostics: "127.0.0.1:0"}
store: %s
local: {keysDirectory: %q, access: %s}
`, place, p.Keys, p.Access))
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
