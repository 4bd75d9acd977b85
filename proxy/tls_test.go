package proxy_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"

	"github.com/registryhub/registryhub/proxy"
)

// authority is a CA.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{}
	a.certificate, a.key = a.sign(t, &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

// sign makes a key and a certificate for it, signed by the authority or, while that has none, by itself.
func (a *authority) sign(t *testing.T, template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template.SerialNumber, template.NotBefore = big.NewInt(time.Now().UnixNano()), time.Now().Add(-2*time.Hour)
	template.Subject = pkix.Name{CommonName: fmt.Sprintf("test %d", template.SerialNumber)}
	if template.NotAfter.IsZero() {
		template.NotAfter = time.Now().Add(time.Hour)
	}
	parent, signer := a.certificate, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	must(t, err)
	certificate, err := x509.ParseCertificate(der)
	must(t, err)
	return certificate, key
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return pool
}

// client is a certificate of a client.
func (a *authority) client(t *testing.T) tls.Certificate {
	t.Helper()
	certificate, key := a.sign(t, &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	return tls.Certificate{Certificate: [][]byte{certificate.Raw}, PrivateKey: key}
}

func pemOf(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// secret is a Secret as the kubelet mounts it.
type secret struct{ directory string }

// mountSecret mounts a server's certificate, and, where there are some, the CAs of its clients.
func mountSecret(t *testing.T, server *authority, notAfter time.Time, clients *authority) secret {
	t.Helper()
	s := secret{t.TempDir()}
	s.swap(t, server, notAfter, clients)
	for _, name := range []string{"tls.crt", "tls.key", "clients.pem"} {
		must(t, os.Symlink(filepath.Join("..data", name), filepath.Join(s.directory, name)))
	}
	return s
}

func (s secret) swap(t *testing.T, server *authority, notAfter time.Time, clients *authority) {
	t.Helper()
	certificate, key := server.sign(t, &x509.Certificate{
		NotAfter: notAfter, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	content := map[string]string{"tls.crt": pemOf("CERTIFICATE", certificate.Raw), "tls.key": pemOf("PRIVATE KEY", encoded)}
	if clients != nil {
		content["clients.pem"] = pemOf("CERTIFICATE", clients.certificate.Raw)
	}
	s.swapTo(t, content)
}

func (s secret) swapTo(t *testing.T, content map[string]string) {
	t.Helper()
	version := t.TempDir()
	for name, text := range content {
		must(t, os.WriteFile(filepath.Join(version, name), []byte(text), 0o600))
	}
	link := filepath.Join(s.directory, "..data_tmp")
	must(t, os.Symlink(version, link))
	must(t, os.Rename(link, filepath.Join(s.directory, "..data")))
}

func (s secret) configuration(upstream, dir string, clientCA bool) string {
	files := fmt.Sprintf("certificateDirectory: %q", s.directory)
	if clientCA {
		files += fmt.Sprintf(", clientCAFile: %q", filepath.Join(s.directory, "clients.pem"))
	}
	return strings.Replace(configuration(upstream, dir), `diagnostics: "127.0.0.1:0"`, `diagnostics: "127.0.0.1:0", tls: {`+files+`}`, 1)
}

// tlsClient trusts a CA, and shows certificates.
func tlsClient(t *testing.T, trusts *authority, shows ...tls.Certificate) *http.Client {
	t.Helper()
	transport := &http.Transport{
		ForceAttemptHTTP2: true,
		TLSClientConfig:   &tls.Config{RootCAs: trusts.pool(), Certificates: shows, MinVersion: tls.VersionTLS12},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func (r *running) base() string { return "https://" + r.RegistryAddr().String() + "/v2/" }

func TestTheRegistryIsServedOverTLS(t *testing.T) {
	o := newOrigin(t)
	img, err := random.Image(1<<20, 1)
	must(t, err)
	layer := o.push(t, "1", img)
	ca := newAuthority(t)
	f := runFile(t, mountSecret(t, ca, time.Time{}, nil).configuration(o.URL, t.TempDir(), false))
	client := tlsClient(t, ca)
	for _, cached := range []string{"cold", "cached"} {
		resp, err := client.Get(f.base() + "library/app/blobs/" + layer.String())
		must(t, err)
		got, _, err := v1.SHA256(resp.Body)
		must(t, errors.Join(err, resp.Body.Close()))
		if got != layer || resp.Proto != "HTTP/1.1" || resp.TLS.Version != tls.VersionTLS13 {
			t.Errorf("%s: got %s over %s and %s", cached, got, resp.Proto, tls.VersionName(resp.TLS.Version))
		}
	}
	for version, want := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true} {
		conn, err := tls.Dial("tcp", f.RegistryAddr().String(), &tls.Config{RootCAs: ca.pool(), MinVersion: version, MaxVersion: version, NextProtos: []string{"h2", "http/1.1"}})
		if (err == nil) != want {
			t.Errorf("%s: error %v", tls.VersionName(version), err)
		}
		if err == nil {
			if got := conn.ConnectionState().NegotiatedProtocol; got != "http/1.1" {
				t.Errorf("%q was agreed on, want http/1.1", got)
			}
			must(t, conn.Close())
		}
	}
	f.holds(t, "registryhub_proxy_failed_handshakes_total 1")
	plain, err := net.Dial("tcp", f.RegistryAddr().String())
	must(t, err)
	_, err = io.WriteString(plain, base)
	must(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(plain), nil)
	must(t, err)
	must(t, errors.Join(resp.Body.Close(), plain.Close()))
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("plain HTTP: got %d, want 400", resp.StatusCode)
	}
}

func TestOnlyWhoShowsACertificateIsServed(t *testing.T) {
	o := newOrigin(t)
	img, err := random.Image(1000, 1)
	must(t, err)
	o.push(t, "1", img)
	ca, nodes := newAuthority(t), newAuthority(t)
	f := runFile(t, mountSecret(t, ca, time.Time{}, nodes).configuration(o.URL, t.TempDir(), true))
	expired, key := nodes.sign(t, &x509.Certificate{NotAfter: time.Now().Add(-time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	server, serverKey := nodes.sign(t, &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	cases := map[string]struct {
		shows  []tls.Certificate
		status int // 0: not even a handshake
	}{
		"a node":                     {[]tls.Certificate{nodes.client(t)}, http.StatusOK},
		"nothing":                    {nil, http.StatusForbidden},
		"what another CA signed":     {[]tls.Certificate{ca.client(t)}, 0},
		"what has expired":           {[]tls.Certificate{{Certificate: [][]byte{expired.Raw}, PrivateKey: key}}, 0},
		"what is not for clients":    {[]tls.Certificate{{Certificate: [][]byte{server.Raw}, PrivateKey: serverKey}}, 0},
		"what it signed by itself":   {[]tls.Certificate{new(authority).client(t)}, 0},
		"a node, beside what is not": {[]tls.Certificate{nodes.client(t), ca.client(t)}, http.StatusOK},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.pool(), MinVersion: tls.VersionTLS12}}
			defer transport.CloseIdleConnections()
			if len(tc.shows) > 0 {
				transport.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &tc.shows[0], nil }
			}
			client := &http.Client{Transport: transport}
			for _, path := range []string{"", "library/app/manifests/1"} {
				resp, err := client.Get(f.base() + path)
				if tc.status == 0 {
					if err == nil {
						t.Errorf("%q: got %d, want a handshake that fails", path, resp.StatusCode)
						must(t, resp.Body.Close())
					}
					continue
				}
				must(t, err)
				body, err := io.ReadAll(resp.Body)
				must(t, errors.Join(err, resp.Body.Close()))
				if denied := strings.Contains(string(body), `"DENIED"`); resp.StatusCode != tc.status || denied != (tc.status == http.StatusForbidden) {
					t.Errorf("%q: got %d %s, want %d", path, resp.StatusCode, body, tc.status)
				}
			}
		})
	}
	f.figure(t, `registryhub_proxy_requests_total{code="403",kind="denied"} 2`)
}

func TestFilesOfTLSThatCannotBeUsed(t *testing.T) {
	ca := newAuthority(t)
	changes := map[string]func(content map[string]string){
		"no certificate":           func(c map[string]string) { delete(c, "tls.crt") },
		"no key":                   func(c map[string]string) { delete(c, "tls.key") },
		"no PEM":                   func(c map[string]string) { c["tls.crt"] = "hunter2" },
		"a key of another":         func(c map[string]string) { c["tls.key"] = strings.Replace(c["tls.key"], "M", "N", 1) },
		"no CAs of clients":        func(c map[string]string) { delete(c, "clients.pem") },
		"an empty list of CAs":     func(c map[string]string) { c["clients.pem"] = "" },
		"CAs of clients of no PEM": func(c map[string]string) { c["clients.pem"] = "hunter2" },
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			nodes := newAuthority(t)
			good := mountSecret(t, ca, time.Time{}, nodes)
			content := map[string]string{}
			for _, file := range []string{"tls.crt", "tls.key", "clients.pem"} {
				text, err := os.ReadFile(filepath.Join(good.directory, file))
				must(t, err)
				content[file] = string(text)
			}
			change(content)
			f := runFile(t, good.configuration("http://127.0.0.1:1", t.TempDir(), true))
			f.figure(t, "registryhub_proxy_certificate_reload_failed 0")
			good.swapTo(t, content)
			f.holds(t, "registryhub_proxy_certificate_reload_failed 1")
			for client, want := range map[*http.Client]int{tlsClient(t, ca): http.StatusForbidden, tlsClient(t, ca, nodes.client(t)): http.StatusOK} {
				if status, _ := get(t, client, f.base()); status != want {
					t.Errorf("with the files of before: got %d, want %d", status, want)
				}
			}
			if n := f.log.count("changed certificates refused"); n != 1 || f.log.count("hunter2") > 0 {
				t.Errorf("it was logged %d times, want once and nothing of the files", n)
			}
			_, err := proxy.NewFromFile(f.file, proxy.Options{})
			if err == nil || !strings.Contains(err.Error(), good.directory) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("a start with them: error %v, want one that names the file", err)
			}
			good.swap(t, ca, time.Time{}, nodes)
			f.holds(t, "registryhub_proxy_certificate_reload_failed 0")
		})
	}
}

// Pulls go on while certificate, CA and the CA of clients are replaced: what clients trust changes first.
func TestCertificatesAreReplacedWithoutAFailedRequest(t *testing.T) {
	o := newOrigin(t)
	img, err := random.Image(200<<10, 1)
	must(t, err)
	layer := o.push(t, "1", img)
	before, after, nodes := newAuthority(t), newAuthority(t), newAuthority(t)
	mounted := mountSecret(t, before, time.Time{}, nodes)
	f := runFile(t, mounted.configuration(o.URL, t.TempDir(), true))
	both := before.pool()
	both.AddCert(after.certificate)

	ctx, stop := context.WithCancel(t.Context())
	var asked, byNew atomic.Int64
	var pulls sync.WaitGroup
	for _, reuse := range []bool{true, false} {
		transport := &http.Transport{
			DisableKeepAlives: !reuse,
			TLSClientConfig:   &tls.Config{RootCAs: both, Certificates: []tls.Certificate{nodes.client(t)}, MinVersion: tls.VersionTLS12},
		}
		t.Cleanup(transport.CloseIdleConnections)
		pulls.Go(func() {
			for ctx.Err() == nil {
				issuer, err := pulled(&http.Client{Transport: transport}, f.base()+"library/app/blobs/"+layer.String(), layer)
				if err != nil {
					t.Errorf("a pull failed: %v", err)
					return
				}
				asked.Add(1)
				if issuer == after.certificate.Subject.CommonName {
					byNew.Add(1)
				}
			}
		})
	}
	eventually(t, "pulls go on", func() bool { return asked.Load() > 10 })
	mounted.swap(t, after, time.Time{}, nodes)
	eventually(t, "the new certificate is shown", func() bool { return byNew.Load() > 10 })
	stop()
	pulls.Wait()
	if n := f.log.count("changed certificates are served with"); n != 1 {
		t.Errorf("it was logged %d times, want once", n)
	}
}

// pulled gets a blob, and says who signed the certificate that was shown.
func pulled(client *http.Client, url string, want v1.Hash) (issuer string, err error) {
	resp, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	got, _, err := v1.SHA256(resp.Body)
	if err == nil && got != want {
		err = fmt.Errorf("%s: got %s, want %s", resp.Status, got, want)
	}
	return resp.TLS.PeerCertificates[0].Issuer.CommonName, err
}

func TestTheCAOfClientsIsReplaced(t *testing.T) {
	ca, before, after := newAuthority(t), newAuthority(t), newAuthority(t)
	mounted := mountSecret(t, ca, time.Time{}, before)
	f := runFile(t, mounted.configuration("http://127.0.0.1:1", t.TempDir(), true))
	then, now := tlsClient(t, ca, before.client(t)), tlsClient(t, ca, after.client(t))
	if status, _ := get(t, then, f.base()); status != http.StatusOK {
		t.Errorf("the client of before: got %d, want 200", status)
	}
	mounted.swap(t, ca, time.Time{}, after)
	eventually(t, "the new client is served", func() bool {
		resp, err := now.Get(f.base())
		return err == nil && errors.Join(err, resp.Body.Close()) == nil && resp.StatusCode == http.StatusOK
	})
	then.CloseIdleConnections()
	if status, _ := get(t, now, f.base()); status != http.StatusOK {
		t.Errorf("the new client: got %d, want 200", status)
	}
	if status, _ := get(t, then, f.base()); status != http.StatusForbidden {
		t.Errorf("the client of before, which shows nothing since it is told who is believed: got %d, want 403", status)
	}
}

// A node's agent asks by sessions that it resumes. One that outlived the files would be told of what is no longer served.
func TestSessionsAreResumedUntilTheFilesChange(t *testing.T) {
	ca, clients := newAuthority(t), newAuthority(t)
	changes := map[string]struct {
		server, clients *authority
		want            int // 0: the handshake fails
	}{
		"another CA of clients":                                {ca, newAuthority(t), http.StatusForbidden},
		"a certificate of a CA that the client does not trust": {newAuthority(t), clients, 0},
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			mounted := mountSecret(t, ca, time.Time{}, clients)
			f := runFile(t, mounted.configuration("http://127.0.0.1:1", t.TempDir(), true))
			config := &tls.Config{RootCAs: ca.pool(), Certificates: []tls.Certificate{clients.client(t)}, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: config}}
			for _, resumed := range []bool{false, true, true} {
				resp, err := client.Get(f.base())
				must(t, err)
				must(t, resp.Body.Close())
				if resp.StatusCode != http.StatusOK || resp.TLS.DidResume != resumed {
					t.Errorf("got %d, resumed %t, want 200 and %t", resp.StatusCode, resp.TLS.DidResume, resumed)
				}
			}
			mounted.swap(t, change.server, time.Time{}, change.clients)
			eventually(t, "the changed files are in force", func() bool { return f.log.count("changed certificates are served with") == 1 })
			resp, err := client.Get(f.base())
			if err != nil {
				resp = &http.Response{Body: http.NoBody, TLS: &tls.ConnectionState{}}
			}
			must(t, resp.Body.Close())
			if resp.StatusCode != change.want || resp.TLS.DidResume {
				t.Errorf("after the change: got %d, resumed %t (error %v), want %d", resp.StatusCode, resp.TLS.DidResume, err, change.want)
			}
		})
	}
}

func TestAnExpiredCertificateIsServedAndToldOf(t *testing.T) {
	ca := newAuthority(t)
	ended := time.Now().Add(-time.Hour).Truncate(time.Second)
	f := runFile(t, mountSecret(t, ca, ended, nil).configuration("http://127.0.0.1:1", t.TempDir(), false))
	conn, err := tls.Dial("tcp", f.RegistryAddr().String(), &tls.Config{InsecureSkipVerify: true})
	must(t, err)
	if diff := cmp.Diff(ended.UTC(), conn.ConnectionState().PeerCertificates[0].NotAfter); diff != "" {
		t.Errorf("end of the certificate (-want +got):\n%s", diff)
	}
	must(t, conn.Close())
	eventually(t, "it is told of", func() bool { return f.log.count("certificate has expired") == 1 })
	f.figure(t, "registryhub_proxy_certificate_expiry_timestamp_seconds "+strconv.FormatFloat(float64(ended.Unix()), 'g', -1, 64))
}

func TestAHandshakeThatDoesNotEndIsCutOff(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	f := runFile(t, mountSecret(t, ca, time.Time{}, nil).configuration("http://127.0.0.1:1", t.TempDir(), false))
	w := dial(t, f.running)
	_, err := w.Write([]byte{22, 3, 1, 2, 0, 1}) // of a ClientHello of 512 bytes
	must(t, err)
	if status, _ := get(t, tlsClient(t, ca), f.base()); status != http.StatusOK {
		t.Errorf("another client meanwhile: got %d, want 200", status)
	}
	if _, err := io.Copy(io.Discard, w); isTimeout(err) {
		t.Errorf("the connection was not closed: %v", err)
	}
	f.holds(t, "registryhub_proxy_failed_handshakes_total 1")
}

func TestAClientOverTLSThatTakesNothingIsCut(t *testing.T) {
	o := newOrigin(t)
	layer := o.push(t, "1", moreThanBuffers(t))
	ca := newAuthority(t)
	mounted := mountSecret(t, ca, time.Time{}, nil)
	r := runWith(t, mounted.configuration(o.URL, t.TempDir(), false), proxy.Limits{Stalled: 500 * time.Millisecond})
	conn, err := tls.Dial("tcp", r.RegistryAddr().String(), &tls.Config{RootCAs: ca.pool(), MinVersion: tls.VersionTLS12})
	must(t, err)
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "GET /v2/library/app/blobs/%s HTTP/1.1\r\nHost: x\r\n\r\n", layer)
	must(t, err)
	r.holds(t, "registryhub_proxy_stalled_clients_total 1")
	r.holds(t, "registryhub_proxy_open_connections 0")
	r.end(t)
}

func TestConnectionsOverTheLimitAreToldSoOverTLS(t *testing.T) {
	ca := newAuthority(t)
	r := runWith(t, mountSecret(t, ca, time.Time{}, nil).configuration("http://127.0.0.1:1", t.TempDir(), false), proxy.Limits{Connections: 1})
	held := tlsClient(t, ca)
	if status, _ := get(t, held, r.base()); status != http.StatusOK {
		t.Errorf("within the limit: got %d, want 200", status)
	}
	if status, body := get(t, tlsClient(t, ca), r.base()); status != http.StatusServiceUnavailable || !strings.Contains(body, "UNAVAILABLE") {
		t.Errorf("over the limit: got %d %s, want 503", status, body)
	}
	held.CloseIdleConnections()
	r.end(t)
}
