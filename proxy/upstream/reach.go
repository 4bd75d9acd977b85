package upstream

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
)

// Reach is where a client may go that asks a host which a request has named. Such a name, or what its owner's name
// server says, must not make the hub dial its own machine, its link, a private network or the cluster. What counts is
// the address at the moment it is dialled, so that a name that resolves to something else the second time gains
// nothing. Redirects and token servers are dialled alike.
type Reach struct {
	listed map[string]bool // host:port
}

// ReachOf also goes to these registry hosts wherever they are, since a person has named each of them.
func ReachOf(hosts []string) Reach {
	r := Reach{listed: map[string]bool{}}
	for _, host := range hosts {
		if u, err := url.Parse(config.DefaultUpstreamURL(host)); err == nil {
			r.listed[addressOf(u)] = true
		}
	}
	return r
}

// limit holds a transport to the reach. Where the environment names an HTTP proxy, it is the proxy that is dialled, and
// that resolves names: it may be anywhere, and its own rules decide; what can be seen here is refused here. A proxy is
// never dialled in the place of a registry.
func (r Reach) limit(t *http.Transport, timeouts Timeouts) {
	dial, choose := t.DialContext, t.Proxy
	guarded := &net.Dialer{Timeout: timeouts.Dial, KeepAlive: 30 * time.Second, ControlContext: refuseInternal}
	proxies := proxiesOf(choose)
	t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if r.listed[address] || proxies[address] {
			return dial(ctx, network, address)
		}
		return guarded.DialContext(ctx, network, address)
	}
	t.Proxy = func(q *http.Request) (*url.URL, error) {
		via, err := choose(q)
		if err != nil || r.listed[addressOf(q.URL)] {
			return via, err
		}
		return via, refuseTarget(q.URL, via, proxies)
	}
}

// refuseTarget refuses what no dialled address would show.
func refuseTarget(target, via *url.URL, proxies map[string]bool) error {
	addr, err := netip.ParseAddr(target.Hostname())
	literal := err == nil && isInternal(addr)
	if via != nil && (literal || isLocalhost(target.Hostname())) || via == nil && proxies[addressOf(target)] {
		return &internalAddressError{address: target.Host}
	}
	return nil
}

// proxiesOf are the addresses of the proxies that the environment names.
func proxiesOf(choose func(*http.Request) (*url.URL, error)) map[string]bool {
	proxies := map[string]bool{}
	for _, scheme := range []string{"http", "https"} {
		via, err := choose(&http.Request{URL: &url.URL{Scheme: scheme, Host: "registry.invalid"}})
		if err == nil && via != nil {
			proxies[addressOf(via)] = true
		}
	}
	return proxies
}

// addressOf is what net/http dials for a URL.
func addressOf(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}[u.Scheme]
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

// internalAddressError says that a host leads to where no registry of the public is.
type internalAddressError struct{ address string }

func (e *internalAddressError) Error() string {
	return e.address + " is an address of the hub's own machine, its link, a private network or a cluster: list the host itself in allowedHosts if it is meant"
}

// refuseInternal is a net.Dialer's ControlContext: the address is the one that is dialled, after any resolution.
func refuseInternal(_ context.Context, _, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || isInternal(at.Addr()) {
		return &internalAddressError{address: address}
	}
	return nil
}

// internalRanges are those that netip has no word for and that networks, clusters and clouds use for themselves (the
// IANA special-purpose registries): this network, carrier-grade NAT, protocol assignments, benchmarks, class E; local
// NAT64, Teredo (which hides an address), and the old site-local.
var internalRanges = prefixes("0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "198.18.0.0/15", "240.0.0.0/4",
	"64:ff9b:1::/48", "2001::/32", "fec0::/10")

// carriers are ranges whose addresses lead to the IPv4 address that stands in them at an offset: NAT64, 6to4, and the
// old compatible ones.
var carriers = []struct {
	netip.Prefix
	offset int
}{
	{netip.MustParsePrefix("64:ff9b::/96"), 12}, {netip.MustParsePrefix("2002::/16"), 2}, {netip.MustParsePrefix("::/96"), 12},
}

func prefixes(texts ...string) []netip.Prefix {
	all := make([]netip.Prefix, 0, len(texts))
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

func isInternal(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	if isOwn(addr) || addr.IsPrivate() || slices.ContainsFunc(internalRanges, func(p netip.Prefix) bool { return p.Contains(addr) }) {
		return true
	}
	for _, carrier := range carriers {
		if bytes := addr.As16(); addr.Is6() && carrier.Contains(addr) {
			return isInternal(netip.AddrFrom4([4]byte(bytes[carrier.offset : carrier.offset+4])))
		}
	}
	return false
}
