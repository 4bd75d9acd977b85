package nodeagent

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/nodeagent/hoststoml"
	"github.com/registryhub/registryhub/controllers/nodeagent/probe"
)

// pairOf is some certificate with its key, in PEM.
func pairOf(t *testing.T) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}

// show puts a pair where the kubelet would.
func (b *bench) show(certificate, key []byte) {
	b.t.Helper()
	for name, data := range map[string][]byte{"tls.crt": certificate, "tls.key": key} {
		if err := os.WriteFile(filepath.Join(b.reconciler.options.ClientCertificateDirectory, name), data, 0o600); err != nil {
			b.t.Fatal(err)
		}
	}
}

// mirror is what the host's file says.
func (b *bench) mirror(host string) hoststoml.Mirror {
	b.t.Helper()
	data, err := os.ReadFile(filepath.Join(b.certs, host, "hosts.toml"))
	if err != nil {
		b.t.Fatal(err)
	}
	file, err := hoststoml.Decode(data)
	if err != nil {
		b.t.Fatal(err)
	}
	return file.Mirrors[0]
}

func (b *bench) mustHold(path string, want []byte) {
	b.t.Helper()
	if got, err := os.ReadFile(path); err != nil || string(got) != string(want) {
		b.t.Errorf("%s holds %q (%v), want %q", path, got, err, want)
	}
}

// secured is a configuration of a hub for everybody, one for nodes alone, and one over plain HTTP.
func secured(revision int64, bundle []byte) configv1alpha1.NodeConfiguration {
	public, private, plain := hub("public", "x.io"), hub("private", "y.io"), hub("plain", "z.io")
	public.Endpoint, private.Endpoint, private.ClientCertificate = "https://10.96.31.8:5000", "https://10.96.31.9:5000", true
	c := configuration(revision, public, private, plain)
	c.CABundle = string(bundle)
	return c
}

func newTLSBench(t *testing.T, c configv1alpha1.NodeConfiguration) *bench {
	t.Helper()
	return newBench(t, configMap(t, c), ownNode(nil), ownMirror())
}

func TestAHubOverTLSIsWiredWithTheBundleAndTheCertificate(t *testing.T) {
	t.Parallel()
	bundle, _ := pairOf(t)
	certificate, key := pairOf(t)
	b := newTLSBench(t, secured(7, bundle))
	b.show(certificate, key)
	b.mustPass()
	private, public, plain := b.mirror("y.io"), b.mirror("x.io"), b.mirror("z.io")
	b.mustHold(private.CA, bundle)
	b.mustHold(private.ClientCertificate, certificate)
	b.mustHold(private.ClientKey, key)
	b.mustHold(public.CA, bundle)
	if public.ClientCertificate != "" || plain.CA != "" {
		t.Errorf("more than is needed: %+v, %+v", public, plain)
	}
	if diff := cmp.Diff(v1alpha1.NodeMirrorStatus{Revision: 7}, b.status()); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
}

func TestANewBundleAndANewCertificateReachTheFiles(t *testing.T) {
	t.Parallel()
	one, _ := pairOf(t)
	two, _ := pairOf(t)
	certificate, key := pairOf(t)
	b := newTLSBench(t, secured(7, one))
	b.show(certificate, key)
	b.mustPass()
	before := b.mirror("y.io")
	certificate, key = pairOf(t)
	b.show(certificate, key)
	b.configure(secured(8, append(one, two...)))
	b.mustPass()
	after := b.mirror("y.io")
	b.mustHold(after.CA, append(one, two...))
	b.mustHold(after.ClientKey, key)
	b.mustHold(before.CA, one) // for a containerd that has just read the old file
}

func TestANodeWithoutTheCertificateIsReported(t *testing.T) {
	t.Parallel()
	bundle, _ := pairOf(t)
	b := newTLSBench(t, secured(7, bundle))
	b.mustPass()
	if got := b.hosts(); !cmp.Equal(got, []string{"x.io", "z.io"}) {
		t.Errorf("hosts %q", got)
	}
	exceptions := b.status().Exceptions
	if len(exceptions) != 1 || exceptions[0].Host != "y.io" || exceptions[0].Reason != v1alpha1.NodeReasonNoClientCertificate {
		t.Errorf("exceptions %+v", exceptions)
	}
}

func TestHalfOfAPairLeavesTheOldOne(t *testing.T) {
	t.Parallel()
	bundle, _ := pairOf(t)
	certificate, key := pairOf(t)
	_, otherKey := pairOf(t)
	b := newTLSBench(t, secured(7, bundle))
	b.show(certificate, key)
	b.mustPass()
	before := b.mirror("y.io")
	b.show(certificate, otherKey)
	b.mustPass()
	if after := b.mirror("y.io"); after != before {
		t.Errorf("%+v became %+v", before, after)
	}
}

func TestABundleThatIsNoneLeavesTheOldConfiguration(t *testing.T) {
	t.Parallel()
	bundle, _ := pairOf(t)
	b := newTLSBench(t, secured(7, bundle))
	b.mustPass()
	b.configure(secured(8, []byte("rubbish")))
	b.mustPass()
	b.mustHold(b.mirror("x.io").CA, bundle)
	if got := b.status().Revision; got != 7 {
		t.Errorf("revision %d, want 7", got)
	}
}

func TestRestoringTakesTheTLSFilesAway(t *testing.T) {
	t.Parallel()
	bundle, _ := pairOf(t)
	b := newTLSBench(t, secured(7, bundle))
	b.mustPass()
	ca := b.mirror("x.io").CA
	if err := b.keeper.restore(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Dir(ca)); !os.IsNotExist(err) || !strings.HasSuffix(filepath.Dir(ca), "/tls") {
		t.Errorf("%s is still there: %v", filepath.Dir(ca), err)
	}
}

func TestAHubWithABundleOfItsOwnIsTrustedByBoth(t *testing.T) {
	t.Parallel()
	shared, _ := pairOf(t)
	issuer, _ := pairOf(t)
	c := secured(7, shared)
	c.Hubs[0].CABundle = string(issuer)
	b := newTLSBench(t, c)
	b.show(pairOf(t))
	b.mustPass()
	public, private := b.mirror("x.io"), b.mirror("y.io")
	b.mustHold(public.CA, append(bytes.Clone(shared), issuer...))
	b.mustHold(private.CA, shared)

	asked := func(hub string) *x509.CertPool {
		config, err := b.keeper.tls.config(probe.Target{Hub: hub})
		if err != nil {
			t.Fatal(err)
		}
		return config.RootCAs
	}
	both, one := x509.NewCertPool(), x509.NewCertPool()
	both.AppendCertsFromPEM(shared)
	both.AppendCertsFromPEM(issuer)
	one.AppendCertsFromPEM(shared)
	if !asked("public").Equal(both) || !asked("private").Equal(one) {
		t.Error("the hubs are not asked with what containerd is told to trust")
	}
	before, _ := b.keeper.tls.config(probe.Target{Hub: "public"})
	b.mustPass()
	if after, _ := b.keeper.tls.config(probe.Target{Hub: "public"}); after != before {
		t.Error("without a change the hub is asked with something else, so that no session is resumed")
	}
}
