package upstream

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy/distspec"
)

// errand is what a process of its own asks for, since net/http reads the environment's proxies once in a process.
type errand struct{ URL, CAFile string }

const errandVariable = "REGISTRYHUB_TEST_ERRAND"

// runErrand fetches a manifest and prints its digest, or why not.
func runErrand(encoded string) error {
	var e errand
	if err := json.Unmarshal([]byte(encoded), &e); err != nil {
		return err
	}
	reference, err := distspec.ParseReference("v1")
	if err != nil {
		return err
	}
	c, err := New(config.UpstreamConfiguration{Name: "test", URL: e.URL, CAFile: e.CAFile}, Timeouts{Dial: time.Second})
	if err != nil {
		return err
	}
	defer c.Close()
	got, err := c.Manifest(context.Background(), "a", reference)
	if err != nil {
		return err
	}
	_, err = fmt.Println(got.Digest)
	return err
}

// forwardProxy leads every host to one of two servers: tunnels to the one, requests to the other.
type forwardProxy struct {
	tunnelTo string
	plain    http.Handler

	mu   sync.Mutex
	seen []string
}

func (p *forwardProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.seen = append(p.seen, r.Method+" "+r.Host)
	p.mu.Unlock()
	if r.Method != http.MethodConnect {
		p.plain.ServeHTTP(w, r)
		return
	}
	out, err := net.Dial("tcp", p.tunnelTo)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	w.WriteHeader(http.StatusOK)
	in, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		_ = out.Close()
		return
	}
	tunnel(in, buffered, out)
}

// tunnel copies both ways until either side is closed.
func tunnel(in net.Conn, buffered io.Reader, out net.Conn) {
	var both sync.WaitGroup
	both.Go(func() { _, _ = io.Copy(out, buffered); _ = out.Close() })
	both.Go(func() { _, _ = io.Copy(in, out); _ = in.Close() })
	both.Wait()
}

func (p *forwardProxy) saw() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.seen)
}

// The proxies of the environment lead to hosts that only they know; 192.0.2.0/24 is nobody's (RFC 5737).
func TestProxiesOfTheEnvironmentAreHonoured(t *testing.T) {
	inner := realRegistry(t, "a")
	secure, ca := serveTLS(t, inner)
	tests := map[string]struct {
		url        string
		wantSeen   []string
		wantDigest bool
	}{
		"https goes through a tunnel":                 {"https://example.com", []string{"CONNECT example.com:443"}, true},
		"http is forwarded":                           {"http://registry.example", []string{"GET registry.example"}, true},
		"a host of NO_PROXY is asked directly":        {"http://192.0.2.1:1", nil, false},
		"a domain of NO_PROXY is asked directly":      {"http://x.direct.invalid", nil, false},
		"a host beside those of NO_PROXY is not":      {"http://192.0.2.2:1", []string{"GET 192.0.2.2:1"}, true},
		"its own network is asked directly, in https": {"https://192.0.2.1:1", nil, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			p := &forwardProxy{tunnelTo: strings.TrimPrefix(secure.URL, "https://"), plain: inner}
			server := httptest.NewServer(p)
			t.Cleanup(server.Close)
			encoded, err := json.Marshal(errand{URL: tc.url, CAFile: ca})
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), os.Args[0])
			cmd.Env = append(os.Environ(), errandVariable+"="+string(encoded),
				"HTTP_PROXY="+server.URL, "HTTPS_PROXY="+server.URL, "NO_PROXY=192.0.2.1,.direct.invalid", "http_proxy=", "https_proxy=", "no_proxy=")
			out, err := cmd.CombinedOutput()
			if fetched := err == nil && strings.TrimSpace(string(out)) == manifestDigest.String(); fetched != tc.wantDigest {
				t.Errorf("got %q, %v", out, err)
			}
			if got := p.saw(); !slices.Equal(got, tc.wantSeen) {
				t.Errorf("the proxy saw %q, want %q", got, tc.wantSeen)
			}
		})
	}
}
