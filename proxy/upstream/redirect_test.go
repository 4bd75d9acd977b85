package upstream

import (
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
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
		"loopback by a name with a dot":         {public, "https://localhost./", false, false},
		"loopback with a dot":                   {public, "https://127.0.0.1./", false, false},
		"loopback as one number":                {public, "https://2130706433/", false, false},
		"loopback in hexadecimal":               {public, "https://0x7f.0x1/", false, false},
		"loopback in octal":                     {public, "https://0177.0.0.1/", false, false},
		"loopback in few numbers":               {public, "https://127.1/", false, false},
		"loopback in full width":                {public, "https://１２７.０.０.１/", false, false},
		"loopback by name, in circles":          {public, "https://ⓛocalhost/", false, false},
		"loopback by IPv6 with a zone":          {public, "https://[::1%25lo]/", false, false},
		"the link by IPv6 with a zone":          {public, "https://[fe80::1%25eth0]/", false, false},
		"another alphabet":                      {public, "https://ｒegistry.example.com/", false, false},
		"another alphabet as it is on the wire": {public, "https://xn--bcher-kva.example/", true, true},
		"a public address":                      {public, "https://192.0.2.1/", true, true},
		"a name that begins with a number":      {public, "https://0x.1e100.net/", true, true},
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
		"https://registry.example.com/x":                    true,
		"https://REGISTRY.example.com:443/x":                true,
		"https://u:p@registry.example.com/x":                true, // The user information is dropped.
		"https://registry.example.com@evil.example/x":       false,
		"https://registry.example.com./x":                   false,
		"https://registry.example.com:/x":                   true,
		"https://ｒegistry.example.com/x":                    false,
		"https://registry.example.com%2eevil/x":             false,
		"http://registry.example.com/x":                     false,
		"https://registry.example.com:8443/x":               false,
		"https://registry.example.com.evil/x":               false,
		"https://cdn.registry.example.com/x":                false,
		"https://registry.example.com\\@evil.example/x":     false,
		"https://[::ffff:registry.example.com]/x":           false,
		"https://evil.example/https://registry.example.com": false,
	} {
		u, err := url.Parse(raw)
		if err != nil {
			if want {
				t.Errorf("%s: %v", raw, err)
			}
			continue
		}
		if got := newGuard(base).isUpstream(u); got != want {
			t.Errorf("%s: got %v", raw, got)
		}
	}
}

// Whatever a Location looks like, what is not the upstream's own origin sees no credentials.
func TestNoSpellingOfALocationMakesCredentialsFollow(t *testing.T) {
	thief, stolen := serveFunc(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, blobContent) })
	port := thief.URL[strings.LastIndex(thief.URL, ":"):]
	directory := basicAuth(t)
	for name, location := range map[string]string{
		"another port":                     thief.URL + "/x",
		"user information":                 "http://robot:hunter2@127.0.0.1" + port + "/x",
		"only the host, after two slashes": "//127.0.0.1" + port + "/x",
		"another name of the same address": "http://localhost" + port + "/x",
		"a capital scheme":                 "HTTP://127.0.0.1" + port + "/x",
		"an address in IPv6":               "http://[::ffff:127.0.0.1]" + port + "/x",
	} {
		t.Run(name, func(t *testing.T) {
			server, own := serveFunc(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") == "" {
					w.Header().Set("WWW-Authenticate", `Basic realm="r"`)
					w.WriteHeader(http.StatusUnauthorized)
					return
				}
				w.Header().Set("Location", location)
				w.WriteHeader(http.StatusTemporaryRedirect)
			})
			before := len(stolen.requests())
			c := client(t, server.URL, func(cfg *config.UpstreamConfiguration) { cfg.CredentialsDirectory = directory })
			if got, _, err := readBlob(t, c, 0, -1); err != nil || got != blobContent {
				t.Errorf("got %q, %v", got, err)
			}
			if last := own.requests(); last[len(last)-1].authorization == "" {
				t.Error("the upstream itself saw no credentials")
			}
			after := stolen.requests()
			if len(after) != before+1 || after[before].authorization != "" {
				t.Errorf("the other host saw %+v", after[before:])
			}
		})
	}
}

// The upstream knows what it redirects to, so that its own credentials go along within its origin.
func TestRedirectWithinTheUpstreamKeepsItsCredentials(t *testing.T) {
	directory := basicAuth(t)
	server, seen := serveFunc(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Authorization") == "":
			w.Header().Set("WWW-Authenticate", `Basic realm="r"`)
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path != "/x":
			http.Redirect(w, r, "/x", http.StatusFound)
		default:
			_, _ = io.WriteString(w, blobContent)
		}
	})
	c := client(t, server.URL, func(cfg *config.UpstreamConfiguration) { cfg.CredentialsDirectory = directory })
	if got, _, err := readBlob(t, c, 0, -1); err != nil || got != blobContent {
		t.Errorf("got %q, %v", got, err)
	}
	if got := withPath(seen.requests(), "/x"); len(got) != 1 || !strings.HasPrefix(got[0].authorization, "Basic ") {
		t.Errorf("it was asked for %+v", got)
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

func FuzzRedirect(f *testing.F) {
	for _, seed := range []string{
		"", "/x", "//evil.example/x", "https://registry.example.com/x", "https://127.0.0.1/", "https://1/", "https://0x1/",
		"https://[::1%25lo]/", "https://u@h/", "https://１.example/", "http://registry.example.com/", "https://h:99999/", "%",
	} {
		f.Add(seed)
	}
	base, err := distspec.ParseBase("https://registry.example.com")
	if err != nil {
		f.Fatal(err)
	}
	g := newGuard(base)
	from := &http.Request{Method: http.MethodGet, URL: base.URL(distspec.Request{Kind: distspec.KindBase}, ""), Header: http.Header{}}
	f.Fuzz(func(t *testing.T, location string) {
		resp := &http.Response{Header: http.Header{"Location": {location}}}
		next, err := (&follower{guard: g}).next(from.WithContext(t.Context()), resp)
		if err != nil {
			if location != "" && len(location) > 20 && strings.Contains(err.Error(), location) {
				t.Errorf("the error quotes %q", location)
			}
			return
		}
		host := next.URL.Hostname()
		addr, notAddress := netip.ParseAddr(host)
		switch {
		case next.URL.Scheme != "https", host == "", next.URL.User != nil:
			t.Errorf("%q leads to %s", location, next.URL)
		case notAddress == nil && isOwn(addr.Unmap()), isLocalhost(host):
			t.Errorf("%q leads to the hub's own %s", location, host)
		case g.isUpstream(next.URL) && !strings.EqualFold(host, "registry.example.com"):
			t.Errorf("%q is taken for the upstream", location)
		}
	})
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
