package clients

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/registryhub/registryhub/test/localregistry"
)

// way is how a client gets to a registry, and as whom.
type way struct {
	tls, anyone bool
}

var ways = map[string]way{
	"a user, over plain HTTP": {}, "a user, over TLS": {tls: true},
	"anyone, over plain HTTP": {anyone: true}, "anyone, over TLS": {anyone: true, tls: true},
}

// serve runs a registry, and returns its address. What it is trusted by is in the home.
func (w way) serve(t *testing.T, home string) string {
	t.Helper()
	place := localregistry.NewPlace(t, "{anonymous: Push}")
	if !w.anyone {
		place.Access = fmt.Sprintf("{htpasswdFile: %q}", localregistry.Users(t, user, password))
	}
	if w.tls {
		var authority []byte
		place.Certificate, authority = localregistry.Certify(t)
		must(t, os.WriteFile(authorityIn(home), authority, 0o600))
	}
	return place.Serve(t)
}

func (w way) scheme() string {
	if w.tls {
		return "https"
	}
	return "http"
}

// authorityIn is the file of a home with the CA that programs trust, where there is one.
func authorityIn(home string) string { return filepath.Join(home, "ca.crt") }
