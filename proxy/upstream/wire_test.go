package upstream

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy/secretfile"
)

type pemPair struct{ certificate, key string }

// keyPair is a certificate that signed itself, with its key.
func keyPair(t *testing.T, name string) pemPair {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pemPair{
		certificate: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		key:         string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})),
	}
}

// mounted is a Secret of the type kubernetes.io/tls as the kubelet mounts it: what a key leads to is swapped at once.
type mounted struct{ directory string }

func mountTLS(t *testing.T, pair pemPair) mounted {
	t.Helper()
	m := mounted{t.TempDir()}
	m.swap(t, pair)
	for _, name := range []string{secretfile.CertificateKey, secretfile.PrivateKeyKey} {
		if err := os.Symlink(filepath.Join("..data", name), filepath.Join(m.directory, name)); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func (m mounted) swap(t *testing.T, pair pemPair) {
	t.Helper()
	version := t.TempDir()
	writeFile(t, version, secretfile.CertificateKey, pair.certificate)
	writeFile(t, version, secretfile.PrivateKeyKey, pair.key)
	link := filepath.Join(m.directory, "..data_tmp")
	if err := os.Symlink(version, link); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(link, filepath.Join(m.directory, "..data")); err != nil {
		t.Fatal(err)
	}
}

// shown are the names of the client certificates that a server saw, "" for none.
type shown struct {
	mu    sync.Mutex
	names []string
}

func (s *shown) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := ""
		if len(r.TLS.PeerCertificates) > 0 {
			name = r.TLS.PeerCertificates[0].Subject.CommonName
		}
		s.mu.Lock()
		s.names = append(s.names, name)
		s.mu.Unlock()
		next.ServeHTTP(w, r)
	})
}

func (s *shown) last() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.names) == 0 {
		return "nobody asked"
	}
	return s.names[len(s.names)-1]
}

// serveAsking is a server that asks for a client certificate, and takes any or none.
func serveAsking(t *testing.T, handler http.Handler) (server *httptest.Server, caFile string, seen *shown) {
	t.Helper()
	seen = &shown{}
	server = httptest.NewUnstartedServer(seen.wrap(handler))
	server.EnableHTTP2 = true
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server, writeFile(t, t.TempDir(), "ca.pem", pemOf(server)), seen
}

func pemOf(server *httptest.Server) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
}

func TestClientCertificateIsShownToTheUpstreamAndToNobodyElse(t *testing.T) {
	elsewhere, _, toOthers := serveAsking(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, blobContent) }))
	tokenServer, _, toTokenServer := serveAsking(t, answering(http.StatusForbidden))
	inner := realRegistry(t, "a")
	server, ca, toUpstream := serveAsking(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.Contains(r.URL.Path, "/blobs/"):
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		case strings.Contains(r.URL.Path, "/tags/"):
			w.Header().Set("WWW-Authenticate", `Bearer realm="`+tokenServer.URL+`"`)
			w.WriteHeader(http.StatusUnauthorized)
		default:
			inner.ServeHTTP(w, r)
		}
	}))
	m := mountTLS(t, keyPair(t, "hub"))
	c := client(t, server.URL, func(cfg *config.UpstreamConfiguration) {
		cfg.CAFile, cfg.ClientCertificateDirectory = ca, m.directory
	})
	if _, err := c.Manifest(t.Context(), "a", tagged(t, "v1")); err != nil || toUpstream.last() != "hub" {
		t.Errorf("the upstream saw %q (%v), want hub's certificate", toUpstream.last(), err)
	}
	if got, _, err := readBlob(t, c, 0, -1); err != nil || got != blobContent || toOthers.last() != "" {
		t.Errorf("behind a redirect %q was seen (%v), want no certificate", toOthers.last(), err)
	}
	if toUpstream.last() != "hub" {
		t.Errorf("the upstream saw %q with a request for a blob", toUpstream.last())
	}
	if _, err := c.Tags(t.Context(), "a", ""); !IsUnauthorized(err) || toTokenServer.last() != "" {
		t.Errorf("the token server saw %q (%v), want no certificate", toTokenServer.last(), err)
	}
	if err := c.probe(t.Context()); err != nil || toUpstream.last() != "hub" {
		t.Errorf("with a probe, the upstream saw %q (%v)", toUpstream.last(), err)
	}
}

func TestRotatedClientCertificateIsUsed(t *testing.T) {
	server, ca, seen := serveAsking(t, realRegistry(t, "a"))
	m := mountTLS(t, keyPair(t, "old"))
	told := &telltale{}
	c := observed(t, server.URL, Timeouts{}, told, func(cfg *config.UpstreamConfiguration) {
		cfg.CAFile, cfg.ClientCertificateDirectory = ca, m.directory
	})
	get := func(want string) {
		t.Helper()
		if _, err := c.Manifest(t.Context(), "a", tagged(t, "v1")); err != nil || seen.last() != want {
			t.Errorf("the upstream saw %q (%v), want %q", seen.last(), err, want)
		}
	}
	get("old")
	m.swap(t, keyPair(t, "new"))
	get("new")
	m.swap(t, pemPair{"hunter2", "hunter2"})
	get("new")
	get("new")
	refused := told.refusals()
	if len(refused) != 1 {
		t.Fatalf("told %d times that the files were refused, want once: %v", len(refused), refused)
	}
	checkFileError(t, filepath.Join(m.directory, secretfile.CertificateKey), struct{}{}, refused[0])
	m.swap(t, keyPair(t, "newer"))
	get("newer")
}

func TestClientCertificateThatCannotBeUsed(t *testing.T) {
	hub, other := keyPair(t, "hub"), keyPair(t, "other")
	for name, tc := range map[string]struct{ certificate, key, want string }{
		"no certificate":          {"", hub.key, secretfile.CertificateKey},
		"no key":                  {hub.certificate, "", secretfile.PrivateKeyKey},
		"another's key":           {hub.certificate, other.key, secretfile.CertificateKey},
		"a key that is no key":    {hub.certificate, "hunter2", secretfile.CertificateKey},
		"the two interchanged":    {hub.key, hub.certificate, secretfile.CertificateKey},
		"a certificate of no PEM": {"hunter2", hub.key, secretfile.CertificateKey},
	} {
		t.Run(name, func(t *testing.T) {
			directory := t.TempDir()
			for file, content := range map[string]string{secretfile.CertificateKey: tc.certificate, secretfile.PrivateKeyKey: tc.key} {
				if content != "" {
					writeFile(t, directory, file, content)
				}
			}
			_, err := New(config.UpstreamConfiguration{Name: "x", URL: "https://h", ClientCertificateDirectory: directory}, Timeouts{})
			checkFileError(t, filepath.Join(directory, tc.want), struct{}{}, err)
		})
	}
}

func TestChangedCAIsTrustedAndTransfersGoOn(t *testing.T) {
	release := make(chan struct{})
	half := len(blobContent) / 2
	server, _ := serveTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "10")
		flush(w, blobContent[:half])
		select {
		case <-release:
		case <-r.Context().Done():
		}
		_, _ = io.WriteString(w, blobContent[half:])
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	directory := t.TempDir()
	replace := func(content string) {
		t.Helper()
		if err := os.Rename(writeFile(t, directory, "next", content), filepath.Join(directory, "ca.pem")); err != nil {
			t.Fatal(err)
		}
	}
	stranger := keyPair(t, "stranger").certificate
	replace(pemOf(server))
	told := &telltale{}
	c := observed(t, server.URL, Timeouts{}, told, func(cfg *config.UpstreamConfiguration) { cfg.CAFile = filepath.Join(directory, "ca.pem") })
	b, err := c.Blob(t.Context(), "a", blobDigest, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Body.Close() }()

	replace(stranger)
	if _, err := c.Blob(t.Context(), "a", blobDigest, 0, -1); !IsUnavailable(err) {
		t.Errorf("with another CA: got %v, want the upstream's certificate refused", err)
	}
	replace("no PEM")
	if _, err := c.Blob(t.Context(), "a", blobDigest, 0, -1); !IsUnavailable(err) {
		t.Errorf("with a broken file: got %v, want the CA of before in force", err)
	}
	// The circuit may have opened meanwhile: then it is a probe that looks at the file.
	eventually(t, "it is told that the file is refused", func() bool { return len(told.refusals()) > 0 })
	if got := told.refusals(); len(got) != 1 {
		t.Errorf("told %v, want to be told once", got)
	}
	close(release)
	if got, err := io.ReadAll(b.Body); err != nil || string(got) != blobContent {
		t.Errorf("the transfer under way brought %q, %v", got, err)
	}
	replace(pemOf(server))
	eventually(t, "the upstream is trusted again", func() bool {
		again, err := c.Blob(t.Context(), "a", blobDigest, 0, -1)
		if err == nil {
			_ = again.Body.Close()
		}
		return err == nil
	})
}

// Segments of a blob are there to have the speed of several connections.
func TestBlobsHaveConnectionsOfTheirOwn(t *testing.T) {
	var mu sync.Mutex
	from := map[string]string{}
	var all sync.WaitGroup
	all.Add(3)
	server, ca := serveTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		from[r.RemoteAddr] = r.Proto
		mu.Unlock()
		all.Done()
		all.Wait() // All of them at once.
		_, _ = io.WriteString(w, blobContent)
	}))
	c := client(t, server.URL, func(cfg *config.UpstreamConfiguration) { cfg.CAFile = ca })
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			if got, _, err := readBlob(t, c, 0, -1); err != nil || got != blobContent {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
	readers.Wait()
	for address, proto := range from {
		if proto != "HTTP/1.1" {
			t.Errorf("%s spoke %s", address, proto)
		}
	}
	if len(from) != 3 {
		t.Errorf("three blobs at once came by %d connections, want 3", len(from))
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	w, err := newWire(&guard{}, tlsFiles{}, Timeouts{}.withDefaults(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, transport := range map[string]*http.Transport{
		"documents": w.lines.own.documents, "blobs": w.lines.own.blobs, "other hosts": w.lines.foreign.documents, "probes": w.lines.probes,
	} {
		if transport.MaxConnsPerHost != maxPerHost || transport.MaxResponseHeaderBytes != maxHeader || !transport.DisableCompression {
			t.Errorf("%s: at most %d connections and %d bytes of header", name, transport.MaxConnsPerHost, transport.MaxResponseHeaderBytes)
		}
	}
}

// A pool that is used up is not the upstream's trouble.
func TestProbeNeedsNoConnectionOfTheOthers(t *testing.T) {
	arrived := make(chan struct{})
	server, _ := serveFunc(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v2/" {
			close(arrived)
			hang(w, r)
		}
	})
	c := clientWith(t, server.URL, Timeouts{Probe: time.Second})
	c.wire.lines.own.documents.MaxConnsPerHost = 1
	ctx, cancel := context.WithCancel(t.Context())
	var waiting sync.WaitGroup
	for range 5 {
		waiting.Go(func() {
			if _, err := c.Manifest(ctx, "a", tagged(t, "v1")); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		})
	}
	<-arrived
	if err := c.probe(t.Context()); err != nil {
		t.Errorf("a probe while the others have every connection: %v", err)
	}
	cancel()
	waiting.Wait()
}

func TestFileErrorsOfChangesAreTyped(t *testing.T) {
	directory := t.TempDir()
	file := writeFile(t, directory, "ca.pem", keyPair(t, "ca").certificate)
	var refused []error
	w, err := newWire(&guard{}, tlsFiles{ca: file}, Timeouts{}, nil, func(err error) { refused = append(refused, err) })
	if err != nil {
		t.Fatal(err)
	}
	before := w.current()
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if w.current() != before {
			t.Error("what was read before is not in force any more")
		}
	}
	if len(refused) != 1 {
		t.Fatalf("told %v", refused)
	}
	if e, ok := errors.AsType[*secretfile.Error](refused[0]); !ok || e.File != file {
		t.Errorf("got %v, want an error that names %s", refused[0], file)
	}
}
