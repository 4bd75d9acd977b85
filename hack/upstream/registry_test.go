package upstream

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/registryhub/registryhub/hack/cluster/pki"
)

func TestARealRegistryIsPulledFromAndRecorded(t *testing.T) {
	registry, transport, address := startForTest(t)
	image, err := random.Image(4096, 2)
	if err != nil {
		t.Fatal(err)
	}
	push, err := name.ParseReference(registry.PushAddress+"/team/app:v1", name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(push, image); err != nil {
		t.Fatalf("pushing to the upstream: %v", err)
	}
	if got := registry.Requests(); len(got) != 0 {
		t.Errorf("pushing was recorded: %v", got)
	}
	pull, err := name.ParseReference(address + "/team/app:v1")
	if err != nil {
		t.Fatal(err)
	}
	pulled, err := remote.Image(pull, remote.WithTransport(transport))
	if err != nil {
		t.Fatalf("pulling from the upstream: %v", err)
	}
	want, _ := image.Digest()
	if got, err := pulled.Digest(); err != nil || got != want {
		t.Errorf("pulled %v (%v), want %v", got, err, want)
	}
	if got := registry.Requests(); len(got) == 0 || got[len(got)-1].Status != http.StatusOK || got[len(got)-1].FromNode() {
		t.Errorf("the record of the pull is %+v", got)
	}
	if err := registry.Down(); err != nil {
		t.Fatal(err)
	}
	if _, err := remote.Head(pull, remote.WithTransport(transport)); err == nil {
		t.Error("the upstream answers while it is down")
	}
	if err := registry.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := remote.Head(pull, remote.WithTransport(transport)); err != nil {
		t.Errorf("the upstream does not come back: %v", err)
	}
}

func startForTest(t *testing.T) (*Registry, *http.Transport, string) {
	t.Helper()
	authority, err := pki.NewAuthority("test")
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := authority.Issue(pki.Leaf{CommonName: "localhost", Hosts: []string{"localhost", "127.0.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := tls.X509KeyPair(leaf.Certificate, leaf.Key)
	if err != nil {
		t.Fatal(err)
	}
	address, err := freeAddress(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	registry, err := Start(t.Context(), Options{
		Directory: t.TempDir(), CacheDirectory: t.TempDir(), Address: address, Certificate: certificate,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := registry.Stop(); err != nil {
			t.Errorf("stopping the upstream: %v", err)
		}
	})
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority.Certificate)
	return registry, &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}, address
}
