package proxy_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/registryhub/registryhub/hack/cluster/names"
	"github.com/registryhub/registryhub/proxy"
)

// resolve has names resolve as the owner of a domain likes, until the test ends.
func resolve(t *testing.T, addresses map[string]string) {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	must(t, err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- names.Serve(ctx, server, func(_ context.Context, asked names.Question) (netip.Addr, bool) {
			address, err := netip.ParseAddr(addresses[asked.Name])
			return address, err == nil
		})
	}()
	was := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", server.LocalAddr().String())
	}}
	t.Cleanup(func() {
		net.DefaultResolver = was
		stop()
		must(t, <-ended)
	})
}

// service is what listens on this machine, and hangs up on whoever connects.
type service struct {
	net.Listener
	callers chan string
}

func newService(t *testing.T) *service {
	t.Helper()
	l, err := net.Listen("tcp", ":0")
	must(t, err)
	s := &service{Listener: l, callers: make(chan string, 100)}
	go func() {
		for conn, err := l.Accept(); err == nil; conn, err = l.Accept() {
			s.callers <- conn.RemoteAddr().String()
			_ = conn.Close() // nobody is left to be told
		}
	}()
	t.Cleanup(func() { must(t, l.Close()) })
	return s
}

func (s *service) port() string {
	_, port, _ := net.SplitHostPort(s.Addr().String())
	return port
}

// called is how many have connected. Who connects last is accepted last, so that none of them can be missed.
func (s *service) called(t *testing.T) (n int) {
	t.Helper()
	last, err := net.Dial("tcp", "127.0.0.1:"+s.port())
	must(t, err)
	defer last.Close()
	for caller := range s.callers {
		if caller == last.LocalAddr().String() {
			break
		}
		n++
	}
	return n
}

const anyHost = `
apiVersion: config.registryhub.io/v1alpha1
kind: ProxyConfiguration
hub: any
listen: {registry: "127.0.0.1:0", diagnostics: "127.0.0.1:0"}
store: {directory: %q}
mirror:
  allowedHosts: ["*.pattern.example:%[2]s", "listed.example:%[2]s"]
  hosts: [{host: "*"}]
`

// A client makes up the name, and who owns the domain says where it leads. What a person has listed is dialled wherever it
// is, by which the name server of this test is seen to be asked.
func TestNoHostThatAPatternAllowsLeadsInside(t *testing.T) {
	inside := newService(t)
	const manifest, blob = "manifests/1", "blobs/sha256:0000000000000000000000000000000000000000000000000000000000000000"
	cases := map[string]struct{ host, address, path string }{
		"this machine, for a manifest":      {"a.pattern.example", "127.0.0.1", manifest},
		"this machine, for a blob":          {"b.pattern.example", "127.0.0.1", blob},
		"this machine, for tags":            {"c.pattern.example", "127.0.0.1", "tags/list"},
		"this machine, by another address":  {"d.pattern.example", "127.9.9.9", manifest},
		"this machine, by the one of all":   {"e.pattern.example", "0.0.0.0", manifest},
		"this machine, below a listed name": {"listed.example.pattern.example", "127.0.0.1", manifest},
		"what is on the link":               {"f.pattern.example", "169.254.169.254", manifest},
		"what is in the cluster":            {"g.pattern.example", "10.96.0.1", manifest},
		"this machine, in capital letters":  {"H.Pattern.Example", "127.0.0.1", manifest},
	}
	addresses := map[string]string{"listed.example": "127.0.0.1"}
	for _, tc := range cases {
		addresses[strings.ToLower(tc.host)] = tc.address
	}
	resolve(t, addresses)
	r := runWith(t, fmt.Sprintf(anyHost, t.TempDir(), inside.port()), proxy.Limits{})
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	wantUnavailable := func(t *testing.T, host, path string) {
		t.Helper()
		status, body := get(t, client, "http://"+r.RegistryAddr().String()+"/v2/team/app/"+path+"?ns="+host+":"+inside.port())
		if status != http.StatusServiceUnavailable || !strings.Contains(body, "UNAVAILABLE") {
			t.Errorf("got %d %s, want 503", status, body)
		}
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			wantUnavailable(t, tc.host, tc.path)
			if n := inside.called(t); n != 0 {
				t.Errorf("the service inside was connected to %d times, want never", n)
			}
		})
	}
	wantUnavailable(t, "listed.example", manifest)
	if inside.called(t) == 0 {
		t.Error("the host that is listed was not dialled")
	}
	client.CloseIdleConnections()
	r.end(t)
}
