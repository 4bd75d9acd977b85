package clients

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"strings"
	"testing"
)

// fronts are what of nginx's configuration tells a registry behind it what clients have asked for.
var fronts = map[string]struct {
	directives string
	// encrypted is what nginx speaks to the registry, too.
	encrypted bool
}{
	"X-Forwarded-Proto": {directives: "proxy_set_header Host $http_host; proxy_set_header X-Forwarded-Proto $scheme;"},
	"X-Forwarded-Host":  {directives: "proxy_set_header X-Forwarded-Host $http_host; proxy_set_header X-Forwarded-Proto $scheme;"},
	"Forwarded":         {directives: `proxy_set_header Forwarded 'for=$remote_addr;host="$http_host";proto=$scheme';`},
	"TLS":               {directives: "proxy_set_header Host $http_host;", encrypted: true},
}

// TestARegistryIsPushedToThroughNginx pushes in one piece and in chunks, each more than nginx would take or keep by itself, with
// tokens that are had through it as well.
func TestARegistryIsPushedToThroughNginx(t *testing.T) {
	for name, tc := range fronts {
		t.Run(name, func(t *testing.T) {
			home := newHome(t)
			behind := way{tls: tc.encrypted}
			address := nginx(t, home, behind.scheme()+"://"+behind.serve(t, home), tc.directives)
			if got, want := realm(t, home, address), `Bearer realm="https://`+address+`/auth/token",service="registryhub"`; got != want {
				t.Errorf("the way to a token is %s, want %s", got, want)
			}
			dir, digest := image(t)
			run(t, home, "skopeo", "login", "-u", user, "-p", password, address)
			ref := "docker://" + address + "/team/app:v1"
			run(t, home, "skopeo", "copy", "--insecure-policy", "--preserve-digests", "oci:"+dir+":v1", ref)
			if got := strings.TrimSpace(run(t, home, "skopeo", "inspect", "--format", "{{.Digest}}", ref)); got != digest {
				t.Errorf("got the digest %s, want %s", got, digest)
			}
			pushInChunks(t, home, address, dir, digest)
		})
	}
}

func pushInChunks(t *testing.T, home, address, dir, digest string) {
	t.Helper()
	regctl, err := newAssets(t).Regctl(t.Context())
	must(t, err)
	run(t, home, regctl, "registry", "login", address, "-u", user, "-p", password, "--skip-check")
	run(t, home, regctl, "registry", "set", address, "--blob-chunk", "100000", "--blob-max", "200000")
	ref := address + "/team/chunks:v1"
	run(t, home, regctl, "image", "copy", "ocidir://"+dir+":v1", ref)
	if got := strings.TrimSpace(run(t, home, regctl, "image", "digest", ref)); got != digest {
		t.Errorf("pushed in chunks: got the digest %s, want %s", got, digest)
	}
}

// realm is where the registry says that tokens are had.
func realm(t *testing.T, home, address string) string {
	t.Helper()
	authority, err := os.ReadFile(authorityIn(home))
	must(t, err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	defer transport.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+address+"/v2/", nil)
	must(t, err)
	resp, err := transport.RoundTrip(r)
	must(t, err)
	must(t, resp.Body.Close())
	return resp.Header.Get("WWW-Authenticate")
}
