package oracles

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/registryhub/registryhub/controllers/nodeagent/certsd"
	"github.com/registryhub/registryhub/controllers/nodeagent/hoststoml"
	"github.com/registryhub/registryhub/controllers/nodeagent/tlsfiles"
)

// authority signs certificates for the tests.
type authority struct {
	t           *testing.T
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	a := authority{t: t}
	a.certificate, a.key = a.sign(&x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

// sign makes a key and a certificate for it, which signs itself while there is no authority yet.
func (a authority) sign(template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.certificate, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		a.t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return certificate, key
}

func (a authority) pem() []byte { return encoded("CERTIFICATE", a.certificate.Raw) }

func encoded(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// client is a client's certificate and its key, in PEM.
func (a authority) client() (certificate, key []byte) {
	a.t.Helper()
	leaf, private := a.sign(&x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		a.t.Fatal(err)
	}
	return encoded("CERTIFICATE", leaf.Raw), encoded("PRIVATE KEY", der)
}

// newTLSRegistry is a registry with a certificate of one authority, which lets in only clients of these others, as our
// proxy does: it answers 403 to who shows no certificate.
func newTLSRegistry(t *testing.T, server authority, clients ...authority) *registry {
	t.Helper()
	r := &registry{manifest: []byte(`{"schemaVersion":2,"mediaType":"` + manifestType + `"}`), blob: []byte("the blob")}
	leaf, key := server.sign(&x509.Certificate{
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	r.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if len(clients) > 0 && len(request.TLS.PeerCertificates) == 0 {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		r.ServeHTTP(w, request)
	}))
	r.TLS = &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}},
	}
	if len(clients) > 0 {
		r.TLS.ClientAuth, r.TLS.ClientCAs = tls.VerifyClientCertIfGiven, x509.NewCertPool()
	}
	for _, client := range clients {
		r.TLS.ClientCAs.AddCert(client.certificate)
	}
	r.Config.ErrorLog = log.New(io.Discard, "", 0)
	r.StartTLS()
	t.Cleanup(r.Close)
	return r
}

// wireTLS makes the agent's own code lead hosts to a hub with these TLS files.
func (n node) wireTLS(endpoint string, material tlsfiles.Material, hosts ...string) tlsfiles.Paths {
	n.t.Helper()
	paths, err := tlsfiles.New(n.run, time.Now).Write(material)
	if err != nil {
		n.t.Fatal(err)
	}
	data, err := hoststoml.Encode(hoststoml.File{Hub: "a-hub", Revision: 9, Mirrors: []hoststoml.Mirror{{
		URL: endpoint, DialTimeout: time.Second, CA: paths.CA, ClientCertificate: paths.Certificate, ClientKey: paths.Key,
	}}})
	if err != nil {
		n.t.Fatal(err)
	}
	desired := map[string]certsd.Files{}
	for _, host := range hosts {
		desired[host] = certsd.Files{"hosts.toml": data}
	}
	n.reconcile(desired)
	return paths
}

func TestAPullOverTLSGoesThroughTheHubAndElseToTheUpstream(t *testing.T) {
	t.Parallel()
	now, next := newAuthority(t), newAuthority(t)
	material := func(client *authority, trusted ...authority) tlsfiles.Material {
		var m tlsfiles.Material
		for _, a := range trusted {
			m.CA = append(m.CA, a.pem()...)
		}
		if client != nil {
			m.Certificate, m.Key = client.client()
		}
		return m
	}
	for name, tc := range map[string]struct {
		server   authority
		clients  []authority
		material tlsfiles.Material
		byHub    bool
	}{
		"for everybody":                            {now, nil, material(nil, now), true},
		"a certificate that nobody asks for":       {now, nil, material(&now, now), true},
		"for nodes":                                {now, []authority{now}, material(&now, now), true},
		"a node without the certificate":           {now, []authority{now}, material(nil, now), false},
		"a node with a stranger's":                 {now, []authority{now}, material(&next, now), false},
		"a hub of a stranger's":                    {next, nil, material(nil, now), false},
		"both authorities trusted, the old in use": {now, []authority{now, next}, material(&now, now, next), true},
		"both trusted, the new one in use":         {next, []authority{now, next}, material(&next, now, next), true},
		"both trusted, the hub is later":           {now, []authority{now, next}, material(&next, now, next), true},
		"both trusted, the node is later":          {next, []authority{now, next}, material(&now, now, next), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEach(t, func(n node) {
				hub, upstream := newTLSRegistry(n.t, tc.server, tc.clients...), newRegistry(n.t)
				n.wireTLS(hub.URL, tc.material, upstream.host())
				n.mustPull(upstream)
				atHub, atUpstream := hub.asked(), upstream.asked()
				if tc.byHub != (len(atHub) > 0) || tc.byHub == (len(atUpstream) > 0) {
					n.t.Errorf("the hub was asked %q, the upstream %q", atHub, atUpstream)
				}
			})
		})
	}
}

// TestChangingTLSFilesFailsNoPull: containerd reads hosts.toml, and then the files that it names.
func TestChangingTLSFilesFailsNoPull(t *testing.T) {
	t.Parallel()
	one, two := newAuthority(t), newAuthority(t)
	const mirror = "https://10.96.31.7:5000"
	material := func(a authority) (m tlsfiles.Material) {
		m.CA = a.pem()
		m.Certificate, m.Key = a.client()
		return m
	}
	for name, tc := range map[string]struct {
		meanwhile func(n node, before tlsfiles.Paths)
		fails     bool
	}{
		"nothing happens": {func(node, tlsfiles.Paths) {}, false},
		"swapped twice": {func(n node, _ tlsfiles.Paths) {
			n.wireTLS(mirror, material(two), "docker.io")
			n.wireTLS(mirror, material(one), "docker.io")
			if err := tlsfiles.New(n.run, time.Now).Sweep(); err != nil {
				n.t.Error(err)
			}
		}, false},
		"the CA taken away at once": {func(_ node, before tlsfiles.Paths) { _ = os.Remove(before.CA) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEach(t, func(n node) {
				before := n.wireTLS(mirror, material(one), "docker.io")
				got, err := n.containerd.endpoints(n.t.Context(), "docker.io", lookup{certs: n.certs, read: func() { tc.meanwhile(n, before) }})
				if (err != nil) != tc.fails {
					n.t.Errorf("tries %v, error %v; want an error: %v", urlsOf(got), err, tc.fails)
				}
			})
		})
	}
}
