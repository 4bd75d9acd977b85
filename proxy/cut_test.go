package proxy_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/opencontainers/go-digest"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy"
)

// begun is an answer that has begun, on a connection of its own.
type begun struct {
	conn net.Conn
	*http.Response
}

// askOver asks for a blob, over TLS where there is an authority.
func askOver(t *testing.T, r *running, ca *authority, blob string) begun {
	t.Helper()
	conn := dial(t, r).Conn
	if ca != nil {
		conn = tls.Client(conn, &tls.Config{RootCAs: ca.pool(), ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12})
	}
	_, err := fmt.Fprintf(conn, "GET /v2/library/app/blobs/%s HTTP/1.1\r\nHost: x\r\n\r\n", blob)
	must(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	must(t, err)
	return begun{conn, resp}
}

// wantCut wants the answer to end before all of it is there, and the connection by its end being told: a client takes a
// reset for another failure than a body that ends early.
func (b begun) wantCut(t *testing.T, atMost int) {
	t.Helper()
	n, err := io.Copy(io.Discard, b.Body)
	if b.StatusCode != http.StatusOK || b.ContentLength <= n || n > int64(atMost) || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %d, %d bytes of %d, error %v, want at most %d and an unexpected EOF", b.StatusCode, n, b.ContentLength, err, atMost)
	}
	if n, err := b.conn.Read(make([]byte, 1)); n != 0 || err != io.EOF { //nolint:errorlint // a reset, and TLS without its last word, are other errors
		t.Errorf("the connection ends with %d bytes, error %v, want EOF", n, err)
	}
}

// halfOf sends the half of what is written to it, and breaks off.
type halfOf struct {
	http.ResponseWriter
	left int
}

func (h *halfOf) Write(p []byte) (int, error) {
	if len(p) > h.left {
		panic(http.ErrAbortHandler)
	}
	h.left -= len(p)
	return h.ResponseWriter.Write(p)
}

func TestAnAnswerOverTLSThatCannotBeCompletedIsCutCleanly(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	blob := digest.FromBytes(content).String()
	var gone atomic.Bool
	origins := map[string]struct {
		answer http.HandlerFunc
		atMost int
	}{
		"other bytes than the digest says": {func(w http.ResponseWriter, r *http.Request) {
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(append(content[1:len(content):len(content)], 'x')))
		}, len(content) - 64<<10},
		"an upstream that goes away": {func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet && gone.Swap(true) {
				panic(http.ErrAbortHandler)
			}
			http.ServeContent(&halfOf{w, len(content) / 2}, r, "", time.Time{}, bytes.NewReader(content))
		}, len(content) / 2},
	}
	for name, origin := range origins {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !strings.HasSuffix(r.URL.Path, blob) {
					http.NotFound(w, r)
					return
				}
				origin.answer(w, r)
			}))
			defer server.Close()
			ca := newAuthority(t)
			r := runWith(t, mountSecret(t, ca, time.Time{}, nil).configuration(server.URL, t.TempDir(), false), proxy.Limits{})
			askOver(t, r, ca, blob).wantCut(t, origin.atMost)
			r.end(t)
		})
	}
}

func TestWhatHasNotEndedWhenDrainingIsOverIsCutCleanly(t *testing.T) {
	ca := newAuthority(t)
	mounted := mountSecret(t, ca, time.Time{}, nil)
	for name, with := range map[string]*authority{"over HTTP": nil, "over TLS": ca} {
		t.Run(name, func(t *testing.T) {
			o := newOrigin(t)
			o.hold = make(chan struct{}) // for good
			img, err := random.Image(1<<20, 1)
			must(t, err)
			layer := o.push(t, "1", img)
			content := configuration(o.URL, t.TempDir())
			if with != nil {
				content = mounted.configuration(o.URL, t.TempDir(), false)
			}
			cfg, err := config.DecodeProxyConfiguration([]byte(content))
			must(t, err)
			server, err := proxy.New(cfg, proxy.Options{Logger: logr.Discard()})
			must(t, err)
			server.DrainWithin(100 * time.Millisecond)
			r := begin(t, server)
			answer := askOver(t, r, with, layer.String())
			r.stop()
			answer.wantCut(t, 200<<10) // which the origin has sent
			must(t, <-r.ended)
		})
	}
}
