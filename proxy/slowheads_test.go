package proxy_test

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/registryhub/registryhub/proxy"
)

// Whoever keeps a connection and asks nothing keeps it from others.
func TestConnectionsThatAskNothingAreClosed(t *testing.T) {
	ca := newAuthority(t)
	secured := &tls.Config{RootCAs: ca.pool(), ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12}
	briefly := 500 * time.Millisecond
	const registry, diagnostics = false, true
	const handshake = "\x16\x03\x01" // of RFC 8446, section 5.1: the type of a record, and its version
	for name, tc := range map[string]struct {
		limits proxy.Limits
		// overTLS: the client speaks it; begins is what it says then.
		overTLS bool
		begins  string
		to      bool
	}{
		"that say nothing":                    {proxy.Limits{Head: briefly, Idle: time.Hour}, false, "", registry},
		"whose handshake does not end":        {proxy.Limits{Head: briefly, Idle: time.Hour}, false, handshake, registry},
		"whose request does not end":          {proxy.Limits{Head: briefly, Idle: time.Hour}, false, "GET /v2/ HTTP/1.1\r\nHost:", registry},
		"whose request over TLS does not end": {proxy.Limits{Head: briefly, Idle: time.Hour}, true, "GET /v2/ HTTP/1.1\r\nHost:", registry},
		"for diagnostics that say nothing":    {proxy.Limits{Head: briefly, Idle: time.Hour}, false, "", diagnostics},
		"after an answer":                     {proxy.Limits{Head: time.Hour, Idle: briefly}, false, base, registry},
		"after an answer over TLS":            {proxy.Limits{Head: time.Hour, Idle: briefly}, true, base, registry},
		"after an answer of diagnostics":      {proxy.Limits{Head: time.Hour, Idle: briefly}, false, base, diagnostics},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			content := configuration("http://127.0.0.1:1", t.TempDir())
			if tc.overTLS || tc.begins == handshake {
				content = mountSecret(t, ca, time.Time{}, nil).configuration("http://127.0.0.1:1", t.TempDir(), false)
			}
			r := runWith(t, content, tc.limits)
			to := r.RegistryAddr()
			if tc.to == diagnostics {
				to = r.DiagnosticsAddr()
			}
			conn, err := net.Dial("tcp", to.String())
			must(t, err)
			if tc.overTLS {
				conn = tls.Client(conn, secured)
			}
			defer conn.Close()
			must(t, conn.SetDeadline(time.Now().Add(time.Minute)))
			_, _ = io.WriteString(conn, tc.begins) // on a busy machine the handshake may be over time already
			in := bufio.NewReader(conn)
			if tc.begins == base {
				resp, err := http.ReadResponse(in, nil)
				must(t, err)
				_, err = io.Copy(io.Discard, resp.Body)
				must(t, err)
			}
			if _, err := io.Copy(io.Discard, in); isTimeout(err) {
				t.Error("the connection was not closed")
			}
			r.end(t)
		})
	}
}
