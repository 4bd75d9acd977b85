package upstream

import (
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy/distspec"
)

// A registry with tokens sends its blobs to a signed URL of another host.
func TestRedirectToAnotherHostCarriesNoAuthorization(t *testing.T) {
	cdn, seen := serveFunc(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, blobContent) })
	k := &tokens{expires: 300}
	mux := http.NewServeMux()
	mux.Handle("/token", k)
	mux.Handle("/v2/", k.guard(http.RedirectHandler(cdn.URL+"/blob?X-Amz-Signature=hunter2", http.StatusTemporaryRedirect)))
	server, atUpstream := serve(t, mux)
	k.realm = server.URL + "/token"
	k.setPassword("hunter2")
	directory := basicAuth(t)

	c := client(t, server.URL, func(cfg *config.UpstreamConfiguration) { cfg.CredentialsDirectory = directory })
	got, _, err := readBlob(t, c, 0, -1)
	if err != nil || got != blobContent {
		t.Fatalf("got %q, %v", got, err)
	}
	for _, r := range seen.requests() {
		if r.authorization != "" || r.referer != "" || !strings.HasPrefix(cdn.URL, "http://"+r.host) {
			t.Errorf("the other host saw Authorization %q, Referer %q, Host %q", r.authorization, r.referer, r.host)
		}
		if r.query != "X-Amz-Signature=hunter2" {
			t.Errorf("the signed query came as %q", r.query)
		}
	}
	if last := atUpstream.requests(); !strings.HasPrefix(last[len(last)-1].authorization, "Bearer ") {
		t.Errorf("the upstream itself saw Authorization %q", last[len(last)-1].authorization)
	}
}

func TestRedirectKeepsTheRange(t *testing.T) {
	cdn, seen := serveFunc(t, func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", zeroTime, strings.NewReader(blobContent))
	})
	server, _ := serve(t, http.RedirectHandler(cdn.URL, http.StatusFound))
	if got, b, err := readBlob(t, client(t, server.URL), 4, -1); err != nil || got != "456789" || !b.Partial {
		t.Errorf("got %q, %v", got, err)
	}
	if got := seen.requests()[0].bytes; got != "bytes=4-" {
		t.Errorf("the other host saw Range %q", got)
	}
}

func TestErrorsOfRedirectsTellNoSignature(t *testing.T) {
	gone, _ := serveFunc(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
	gone.URL += "/blob?X-Amz-Signature=hunter2"
	for name, location := range map[string]string{
		"a status":            gone.URL,
		"a refused port":      "http://127.0.0.1:1/blob?X-Amz-Signature=hunter2",
		"a malformed address": "http://[::1/blob?X-Amz-Signature=hunter2",
		"another scheme":      "ftp://example.com/blob?X-Amz-Signature=hunter2",
	} {
		t.Run(name, func(t *testing.T) {
			server, _ := serveFunc(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", location)
				w.WriteHeader(http.StatusTemporaryRedirect)
			})
			_, _, err := readBlob(t, client(t, server.URL), 0, -1)
			if err == nil || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v, want an error without the signature", err)
			}
		})
	}
}

func TestTooManyRedirects(t *testing.T) {
	server, seen := serveFunc(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Path, http.StatusFound)
	})
	if _, _, err := readBlob(t, client(t, server.URL), 0, -1); !IsInvalidResponse(err) {
		t.Errorf("got %v, want it refused", err)
	}
	if got := len(seen.requests()); got != maxRedirects+1 {
		t.Errorf("%d requests, want the first and %d redirects", got, maxRedirects)
	}
}

// A 404 is judged where the redirects end.
func TestNotFoundBehindARedirect(t *testing.T) {
	there, _ := serve(t, http.NotFoundHandler())
	server, _ := serve(t, http.RedirectHandler(there.URL+"/elsewhere", http.StatusTemporaryRedirect))
	_, err := client(t, server.URL).Manifest(t.Context(), "a", tagged(t, "v1"))
	e, ok := errors.AsType[*StatusError](err)
	if !ok || !IsNotFound(err) || "http://"+e.Host != there.URL || e.Path != "/elsewhere" {
		t.Errorf("got %v", err)
	}
}

func TestGuard(t *testing.T) {
	const public, loopback = "https://registry.example.com", "http://127.0.0.1:5000"
	tests := map[string]struct {
		upstream, to            string
		wantRedirect, wantRealm bool
	}{
		"another host":                          {public, "https://cdn.example.com/x?y", true, true},
		"from https to http":                    {public, "http://cdn.example.com/", false, false},
		"from https to http of the same host":   {public, "http://registry.example.com/", false, false},
		"from http to https":                    {"http://registry.example.com", "https://auth.example.com", true, true},
		"from http to http":                     {"http://registry.example.com", "http://auth.example.com", true, true},
		"another scheme":                        {public, "file:///etc/passwd", false, false},
		"no host":                               {public, "https:///x", false, false},
		"the cloud's metadata":                  {"http://registry.example.com", "http://169.254.169.254/latest", false, false},
		"the cloud's metadata, mapped":          {public, "https://[::ffff:169.254.169.254]/", false, false},
		"the cloud's metadata by IPv6":          {"http://registry.example.com", "http://[fe80::1]/", false, false},
		"loopback":                              {public, "https://127.0.0.1/", false, false},
		"loopback by name":                      {public, "https://LOCALHOST:5000/", false, false},
		"nowhere":                               {public, "https://0.0.0.0/", false, false},
		"a private address":                     {public, "https://10.0.0.1/", true, false},
		"a private address, from one":           {"https://10.0.0.2", "https://10.0.0.1/", true, true},
		"loopback, from loopback":               {loopback, "http://127.0.0.1:5001/", true, true},
		"loopback, from loopback by name":       {"http://localhost:5000", "http://127.0.0.1:5001/", true, true},
		"user information in a realm's address": {public, "https://u:p@auth.example.com/", true, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			base, err := distspec.ParseBase(tc.upstream)
			if err != nil {
				t.Fatal(err)
			}
			to, err := url.Parse(tc.to)
			if err != nil {
				t.Fatal(err)
			}
			from := base.URL(distspec.Request{Kind: distspec.KindBase}, "")
			if err := newGuard(base).checkRedirect(from, to); (err == nil) != tc.wantRedirect {
				t.Errorf("as a redirect: %v", err)
			}
			if err := newGuard(base).checkRealm(to); (err == nil) != tc.wantRealm {
				t.Errorf("as a realm: %v", err)
			}
		})
	}
}

func TestIsUpstreamComparesWholeOrigins(t *testing.T) {
	base, err := distspec.ParseBase("https://Registry.example.com")
	if err != nil {
		t.Fatal(err)
	}
	for raw, want := range map[string]bool{
		"https://registry.example.com/x":      true,
		"https://REGISTRY.example.com:443/x":  true,
		"http://registry.example.com/x":       false,
		"https://registry.example.com:8443/x": false,
		"https://registry.example.com.evil/x": false,
		"https://cdn.registry.example.com/x":  false,
	} {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if got := newGuard(base).isUpstream(u); got != want {
			t.Errorf("%s: got %v", raw, got)
		}
	}
}

// An https upstream whose challenge names an http realm, or that redirects to http, gets nothing out of the client.
func TestDowngradesAreRefused(t *testing.T) {
	thief, stolen := serve(t, realRegistry(t, "a"))
	for name, answer := range map[string]http.HandlerFunc{
		"by a realm": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="%s/token",service="x"`, thief.URL))
			w.WriteHeader(http.StatusUnauthorized)
		},
		"by a redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, thief.URL+r.URL.Path, http.StatusFound)
		},
	} {
		t.Run(name, func(t *testing.T) {
			server, ca := serveTLS(t, answer)
			directory := basicAuth(t)
			c := client(t, server.URL, func(cfg *config.UpstreamConfiguration) {
				cfg.CAFile, cfg.CredentialsDirectory = ca, directory
			})
			if _, err := c.Manifest(t.Context(), "a", tagged(t, "v1")); !IsInvalidResponse(err) {
				t.Errorf("got %v, want it refused", err)
			}
			if got := stolen.requests(); len(got) != 0 {
				t.Errorf("the other host saw %+v", got)
			}
		})
	}
}

func serveTLS(t *testing.T, handler http.Handler) (server *httptest.Server, caFile string) {
	t.Helper()
	server = httptest.NewUnstartedServer(handler)
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	return server, writeFile(t, t.TempDir(), "ca.pem", string(ca))
}

// registry.k8s.io leads to another registry, which may want a token of its own.
func TestRedirectToAnotherRegistryTakesAnAnonymousToken(t *testing.T) {
	other, theirs, _ := guardedRegistry(t, "regional/a")
	_, own, _ := guardedRegistry(t)
	own.setPassword("hunter2")
	redirect := own.guard(http.RedirectHandler(other.URL+"/v2/regional/a/manifests/v1", http.StatusTemporaryRedirect))
	front, _ := serve(t, redirect)
	directory := basicAuth(t)
	c := client(t, front.URL, func(cfg *config.UpstreamConfiguration) { cfg.CredentialsDirectory = directory })
	if _, err := c.Manifest(t.Context(), "a", tagged(t, "v1")); err != nil {
		t.Fatal(err)
	}
	got := theirs.exchanges()
	if len(got) != 1 || got[0].authorization != "" {
		t.Errorf("the other token server saw %+v", got)
	}
	if query, _ := url.ParseQuery(got[0].query); strings.Join(query["scope"], " ") != "repository:regional/a:pull" {
		t.Errorf("it was asked for %q", got[0].query)
	}
	// Once it refuses anonymous clients, that is the answer.
	theirs.setPassword("other")
	theirs.revoke()
	if _, err := c.Manifest(t.Context(), "a", tagged(t, "v1")); !IsUnauthorized(err) {
		t.Errorf("got %v, want it refused", err)
	}
}

func TestScopedRepository(t *testing.T) {
	for scope, want := range map[string]string{
		"repository:a/b:pull": "a/b", "repository:a:pull,push": "", "repository:a:push": "", "registry:catalog:*": "",
		"repository:a:pull repository:b:pull": "", "": "", "repository::pull": "", "repository:../a:pull": "",
	} {
		if got, ok := scopedRepository(scope); ok != (want != "") || (ok && got != want) {
			t.Errorf("%q: got %q, %v", scope, got, ok)
		}
	}
}
