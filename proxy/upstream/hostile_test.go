package upstream

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/registryhub/registryhub/proxy/distspec"
)

// speakRaw is a server that answers each connection's first request with whatever bytes the test writes.
func speakRaw(t *testing.T, answer func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				if _, err := conn.Read(make([]byte, 4096)); err == nil {
					answer(conn)
				}
			}()
		}
	}()
	return "http://" + listener.Addr().String()
}

func endless(conn net.Conn, begin, again string) {
	_, err := io.WriteString(conn, begin)
	for err == nil {
		_, err = io.WriteString(conn, again)
	}
}

func TestAnswersThatBreakTheProtocolAreTroubleOfTheUpstreams(t *testing.T) {
	line := "X-Filler: " + strings.Repeat("x", 1000) + "\r\n"
	for name, answer := range map[string]func(net.Conn){
		"a header without an end": func(c net.Conn) { endless(c, "HTTP/1.1 200 OK\r\n", line) },
		"a line without an end":   func(c net.Conn) { endless(c, "HTTP/1.1 200 OK\r\nX: ", "xxxxxxxxxxxxxxxx") },
		"a status without an end": func(c net.Conn) { endless(c, "HTTP/1.1 200 ", "xxxxxxxxxxxxxxxx") },
		"1xx without an end":      func(c net.Conn) { endless(c, "", "HTTP/1.1 103 Early Hints\r\n"+line+"\r\n") },
		"no HTTP":                 func(c net.Conn) { _, _ = io.WriteString(c, "SSH-2.0-OpenSSH_9.2\r\n") },
		"two lengths": func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}")
		},
		"a negative length":        func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}") },
		"fewer bytes than it said": func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}") },
		"chunks that break off": func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{")
		},
		"chunks that are no chunks": func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}")
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := clientWith(t, speakRaw(t, answer), Timeouts{Document: patience})
			if _, err := c.Manifest(t.Context(), "a", tagged(t, "v1")); !IsUnavailable(err) || len(err.Error()) > 1000 {
				t.Errorf("a manifest: got %.300v", err)
			}
			if got, _, err := readBlob(t, c, 0, -1); !IsUnavailable(err) || len(got) > 2 {
				t.Errorf("a blob: got %q, %.300v", got, err)
			}
		})
	}
}

// The end that was said is the end, whatever follows.
func TestBytesBeyondTheLengthAreNotTheObject(t *testing.T) {
	url := speakRaw(t, func(c net.Conn) {
		endless(c, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 10\r\n\r\n"+blobContent, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
	})
	c := client(t, url)
	for range 3 {
		if got, b, err := readBlob(t, c, 0, -1); err != nil || got != blobContent || b.Size != 10 {
			t.Errorf("got %q, %v", got, err)
		}
	}
}

// bomb is a mebibyte of zeros for each kibibyte that is sent.
func bomb(t *testing.T) []byte {
	t.Helper()
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(make([]byte, 8<<20)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

func packed(t *testing.T, content string) []byte {
	t.Helper()
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = io.WriteString(w, content)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

func encoded(encoding string, header http.Header, body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for name, values := range header {
			w.Header()[name] = values
		}
		w.Header().Set("Content-Encoding", encoding)
		_, _ = w.Write(body)
	}
}

func TestTransformedManifestIsNotTheManifest(t *testing.T) {
	said := http.Header{"Docker-Content-Digest": {manifestDigest.String()}}
	tests := map[string]struct {
		reference   string
		answer      http.HandlerFunc
		wantInvalid bool
	}{
		"a tag":                              {"v1", encoded("gzip", nil, packed(t, manifestJSON)), true},
		"a tag whose digest is said":         {"v1", encoded("gzip", said, packed(t, manifestJSON)), true},
		"a digest":                           {manifestDigest.String(), encoded("gzip", nil, packed(t, manifestJSON)), true},
		"a tag, and a bomb":                  {"v1", encoded("gzip", nil, bomb(t)), true},
		"a tag, in an unknown encoding":      {"v1", encoded("x-nested, br", nil, []byte(manifestJSON)), true},
		"a tag, as it is":                    {"v1", encoded("Identity", nil, []byte(manifestJSON)), false},
		"a digest, as it is, labelled wrong": {manifestDigest.String(), encoded("gzip", nil, []byte(manifestJSON)), false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			server, _ := serve(t, tc.answer)
			got, err := client(t, server.URL).Manifest(t.Context(), "a", tagged(t, tc.reference))
			if IsInvalidResponse(err) != tc.wantInvalid || (err == nil && got.Digest != manifestDigest) {
				t.Errorf("got %v of %s, %v", got.Size, got.Digest, err)
			}
		})
	}
}

// What comes is what is hashed: a bomb stays as small as it was sent, and has another digest than the object.
func TestBombsAreNeverUnpacked(t *testing.T) {
	small := bomb(t)
	server, _ := serve(t, encoded("gzip", nil, small))
	c := client(t, server.URL)
	if got, _, err := readBlob(t, c, 0, -1); err != nil || got != string(small) {
		t.Errorf("got %d bytes of the %d that were sent, %v", len(got), len(small), err)
	}
	if _, err := c.Tags(t.Context(), "a", ""); !IsInvalidResponse(err) {
		t.Errorf("a list of tags: got %v, want it refused", err)
	}
	tokenServer, _ := serve(t, encoded("gzip", nil, packed(t, `{"token":"x"}`)))
	refuser := client(t, httpRefuser(t, &tokens{realm: tokenServer.URL}))
	if _, err := refuser.Manifest(t.Context(), "x", tagged(t, "v1")); !IsInvalidResponse(err) {
		t.Errorf("a token: got %v, want it refused", err)
	}
}

func TestRealmsThatMustNotBeAskedAreNot(t *testing.T) {
	for name, realm := range map[string]string{
		"a file": "file:///etc/passwd", "no host": "https:///token", "no URL": "http://[::1", "nothing but a path": "/token",
		"user information": "http://robot:hunter2@127.0.0.1:1/token", "loopback in full width": "http://１２７.０.０.１:1/token",
		"one number": "http://2130706433:1/token", "a script": "javascript:alert(1)",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := client(t, httpRefuser(t, &tokens{realm: realm})).Manifest(t.Context(), "x", tagged(t, "v1"))
			if !IsInvalidResponse(err) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v, want the realm refused", err)
			}
		})
	}
}

// A token server that leads round in circles on its own host is given up, too.
func TestTokenServerThatLeadsInCircles(t *testing.T) {
	tokenServer, asked := serveFunc(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Path+"x", http.StatusTemporaryRedirect)
	})
	_, err := client(t, httpRefuser(t, &tokens{realm: tokenServer.URL})).Manifest(t.Context(), "x", tagged(t, "v1"))
	if err == nil || IsNotFound(err) || IsUnauthorized(err) {
		t.Errorf("got %v", err)
	}
	if got := len(asked.requests()); got > 2*maxRedirects {
		t.Errorf("the token server was asked %d times", got)
	}
}

func TestCirclesOfSeveralHostsEnd(t *testing.T) {
	var there string
	here, asked := serveFunc(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, there, http.StatusFound) })
	other, _ := serve(t, http.RedirectHandler(here.URL, http.StatusFound))
	there = other.URL
	if _, err := client(t, here.URL).Manifest(t.Context(), "a", tagged(t, "v1")); !IsInvalidResponse(err) {
		t.Errorf("got %v, want it refused", err)
	}
	if got := len(asked.requests()); got > maxRedirects {
		t.Errorf("the upstream was asked %d times", got)
	}
}

// An upstream may say what it likes in its headers: none of it gets into an error as it came.
func TestErrorsHoldNothingThatAnUpstreamMadeUp(t *testing.T) {
	const forged = "forged\x1b[31m"
	server, _ := serveFunc(t, func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set("Content-Range", forged)
		h.Set("Docker-Content-Digest", forged)
		h.Set("Retry-After", forged)
		h.Set("WWW-Authenticate", "Bearer realm="+forged)
		h.Set("Content-Type", forged)
		h.Set("Content-Encoding", forged)
		w.WriteHeader(http.StatusPartialContent)
		_, _ = fmt.Fprintf(w, `{"errors":[{"code":%q}]}`, forged)
	})
	c := clientWith(t, server.URL, Timeouts{Document: time.Minute})
	_, manifest := c.Manifest(t.Context(), "a", tagged(t, "v1"))
	_, head := c.ManifestHead(t.Context(), "a", distspec.DigestReference(manifestDigest))
	_, blob := c.Blob(t.Context(), "a", blobDigest, 4, -1)
	for _, err := range []error{manifest, head, blob} {
		if err == nil || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("got %q", err)
		}
	}
}
