package upstream

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
)

func TestIsInternal(t *testing.T) {
	for address, want := range map[string]bool{
		"127.0.0.1": true, "127.9.9.9": true, "::1": true, "::ffff:127.0.0.1": true, "0.0.0.0": true, "0.1.2.3": true, "::": true,
		"169.254.169.254": true, "fe80::1": true, "fe80::1%eth0": true, "224.0.0.1": true, "ff02::1": true,
		"10.96.0.1": true, "172.16.0.1": true, "192.168.1.1": true, "fd00::1": true, "100.64.0.1": true, "198.18.0.1": true,
		"192.0.0.1": true, "240.0.0.1": true, "255.255.255.255": true, "fec0::1": true, "fd00:ec2::254": true,
		"64:ff9b::10.0.0.1": true, "64:ff9b::169.254.169.254": true, "64:ff9b:1::8.8.8.8": true, "2002:7f00:1::": true,
		"2002:a00:1::1": true, "::10.0.0.1": true, "2001:0:1::1": true,
		"8.8.8.8": false, "172.32.0.1": false, "100.128.0.1": false, "2606:4700::1111": false, "::ffff:8.8.8.8": false,
		"64:ff9b::8.8.8.8": false, "2002:808:808::1": false,
	} {
		if got := isInternal(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: got %t, want %t", address, got, want)
		}
	}
}

// resolveTo has every name resolve to an address, as the owner of a domain can, until the test ends.
func resolveTo(t *testing.T, address string) {
	t.Helper()
	server, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		answerAll(server, netip.MustParseAddr(address).As4())
	}()
	was := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		own := &net.Dialer{Resolver: &net.Resolver{}} // a lookup may outlive the test, when DefaultResolver is another again
		return own.DialContext(ctx, "udp", server.LocalAddr().String())
	}}
	t.Cleanup(func() {
		net.DefaultResolver = was
		_ = server.Close()
		<-ended
	})
}

// answerAll answers each question for an A record with the address, and any other with nothing (RFC 1035, section 4).
func answerAll(server net.PacketConn, address [4]byte) {
	const header, typeA = 12, 1
	packet := make([]byte, 1500)
	for {
		n, from, err := server.ReadFrom(packet)
		if err != nil {
			return
		}
		end := header + strings.IndexByte(string(packet[header:n]), 0) + 5 // behind the name, its type and class
		answer := append([]byte{packet[0], packet[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, packet[header:end]...)
		if packet[end-3] == typeA {
			answer[7] = 1
			answer = append(answer, 0xc0, header, 0, typeA, 0, 1, 0, 0, 0, 0, 0, 4)
			answer = append(answer, address[:]...)
		}
		_, _ = server.WriteTo(answer, from)
	}
}

func within(t *testing.T, server string, listed ...string) *Client {
	t.Helper()
	c, err := NewWithin(ReachOf(listed), config.UpstreamConfiguration{Name: "*", URL: server}, Timeouts{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func wantRefused(t *testing.T, err error) {
	t.Helper()
	if _, ok := errors.AsType[*internalAddressError](err); !ok || !IsUnavailable(err) {
		t.Errorf("got %v, want that the address is refused", err)
	}
}

func TestWithinItsReachAClientDialsNothingInternalUnlessItIsListed(t *testing.T) {
	server, seen := serve(t, realRegistry(t, "a"))
	_, port, err := net.SplitHostPort(strings.TrimPrefix(server.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	for name, host := range map[string]string{
		"a literal": "127.0.0.1", "localhost": "localhost", "a name that leads here": "registry.example", "mapped": "[::ffff:127.0.0.1]",
	} {
		t.Run(name, func(t *testing.T) {
			resolveTo(t, "127.0.0.1")
			_, err := within(t, "http://"+host+":"+port, "registry.example", "*.example:"+port).Manifest(t.Context(), "a", tagged(t, "v1"))
			wantRefused(t, err)
			if n := len(seen.requests()); n != 0 {
				t.Fatalf("the server was asked %d times", n)
			}
		})
	}
	for _, host := range []string{"127.0.0.1:" + port, "registry.example:" + port} {
		t.Run("listed: "+host, func(t *testing.T) {
			resolveTo(t, "127.0.0.1")
			if _, err := within(t, "http://"+host, host).Manifest(t.Context(), "a", tagged(t, "v1")); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestWithinItsReachNeitherARedirectNorATokenServerLeadsInside(t *testing.T) {
	inside, seen := serve(t, realRegistry(t, "a"))
	for name, answer := range map[string]http.HandlerFunc{
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, inside.URL+r.URL.Path, http.StatusTemporaryRedirect)
		},
		"a token server": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="`+inside.URL+`/token",service="s"`)
			w.WriteHeader(http.StatusUnauthorized)
		},
	} {
		t.Run(name, func(t *testing.T) {
			server, _ := serveFunc(t, answer)
			host := strings.TrimPrefix(server.URL, "http://")
			_, err := within(t, server.URL, host).Manifest(t.Context(), "a", tagged(t, "v1"))
			wantRefused(t, err)
			if n := len(seen.requests()); n != 0 {
				t.Errorf("the inside was asked %d times", n)
			}
		})
	}
}

func TestWithinItsReachTheEnvironmentsProxyIsReachedAndNoTargetThroughIt(t *testing.T) {
	proxy, _ := serveFunc(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	via, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	direct := map[string]bool{via.Hostname(): true} // as NO_PROXY has it
	transport := &http.Transport{
		DialContext: (&net.Dialer{}).DialContext,
		Proxy: func(r *http.Request) (*url.URL, error) {
			if direct[r.URL.Hostname()] {
				return nil, nil
			}
			return via, nil
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	ReachOf([]string{"10.0.0.1:5000"}).limit(transport, Timeouts{}.withDefaults())
	for target, reached := range map[string]bool{
		"http://registry.example": true, "http://10.0.0.1:5000": true, "http://8.8.8.8": true,
		"http://10.0.0.1": false, "http://169.254.169.254": false, "http://localhost": false, "http://[::1]:5000": false, proxy.URL: false,
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := transport.RoundTrip(r)
		if reached && (err != nil || resp.StatusCode != http.StatusTeapot) {
			t.Errorf("%s: got %v, want the proxy's answer", target, err)
		}
		if _, refused := errors.AsType[*internalAddressError](err); refused == reached {
			t.Errorf("%s: got %v, want refused %t", target, err, !reached)
		}
		if err == nil {
			discard(resp)
		}
	}
}
