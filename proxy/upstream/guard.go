package upstream

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode"

	"github.com/registryhub/registryhub/proxy/distspec"
)

// guard decides where an upstream's answers may lead: what it names, in a redirect or as its token server, is not
// trusted with more than the upstream itself.
//
//   - Authorization goes to the upstream's own scheme, host and port alone.
//   - Nothing leads from https to http, or to another scheme.
//   - Nothing leads to an address literal of this machine or link (the cloud's metadata service among them), unless
//     the upstream itself is named by such an address; a token server, which gets credentials, not to a private one.
type guard struct {
	origin string
	secure bool
	host   string
	local  bool // The upstream itself is an address literal or localhost: no public registry.
}

func newGuard(base distspec.Base) *guard {
	return newGuardOf(&url.URL{Scheme: base.Scheme(), Host: base.Host()})
}

// newGuardOf is the guard of the URL's host.
func newGuardOf(u *url.URL) *guard {
	_, err := netip.ParseAddr(u.Hostname())
	return &guard{
		origin: originOf(u),
		secure: u.Scheme == "https",
		host:   u.Host,
		local:  err == nil || isLocalhost(u.Hostname()),
	}
}

// isUpstream reports whether the URL is the upstream's own, which its credentials are for.
func (g *guard) isUpstream(u *url.URL) bool { return originOf(u) == g.origin }

// checkRedirect says why a redirect from one URL to another must not be followed.
func (g *guard) checkRedirect(from, to *url.URL) error {
	if err := checkScheme(from.Scheme == "https", to); err != nil {
		return err
	}
	if addr, err := netip.ParseAddr(to.Hostname()); err == nil && !g.local && isOwn(addr.Unmap()) {
		return fmt.Errorf("it leads to %s, an address of the hub's own machine or link", to.Host)
	}
	if isLocalhost(to.Hostname()) && !g.local {
		return fmt.Errorf("it leads to %s, the hub's own machine", to.Host)
	}
	return nil
}

// checkRealm says why a token server must not be asked.
func (g *guard) checkRealm(realm *url.URL) error {
	if realm.User != nil {
		return errors.New("its token server's address holds user information")
	}
	if err := g.checkRedirect(&url.URL{Scheme: scheme(g.secure)}, realm); err != nil {
		return fmt.Errorf("its token server: %w", err)
	}
	if addr, err := netip.ParseAddr(realm.Hostname()); err == nil && !g.local && addr.Unmap().IsPrivate() {
		return fmt.Errorf("its token server %s is a private address", realm.Host)
	}
	return nil
}

// checkRealmOf is checkRealm of a challenge.
func (g *guard) checkRealmOf(c challenge) error {
	realm, err := url.Parse(c.realm)
	if err != nil {
		return errors.New("its token server's address is malformed")
	}
	return g.checkRealm(realm)
}

func checkScheme(secure bool, to *url.URL) error {
	switch {
	case to.Host == "" || (to.Scheme != "https" && to.Scheme != "http"):
		return errors.New("it leads to no absolute http or https URL")
	case secure && to.Scheme != "https":
		return fmt.Errorf("it leads from https to http at %s", to.Host)
	case !plainlySpelled(to.Hostname()):
		return errors.New("it leads to a host that is spelled as no DNS name or address is on the wire")
	}
	return nil
}

// plainlySpelled refuses what a check of addresses does not see through and a resolver might: other alphabets, in which
// net/http finds 127.0.0.1 (RFC 5895, section 2), and numbers that are no address literal, such as 0x7f.1 (WHATWG URL,
// "ends in a number").
func plainlySpelled(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	if strings.ContainsFunc(host, func(r rune) bool { return r > unicode.MaxASCII }) {
		return false
	}
	host = strings.TrimSuffix(host, ".")
	last := host[strings.LastIndex(host, ".")+1:]
	_, err := strconv.ParseUint(last, 0, 64)
	return err != nil && strings.Trim(last, "0123456789") != ""
}

func scheme(secure bool) string {
	if secure {
		return "https"
	}
	return "http"
}

func isOwn(addr netip.Addr) bool {
	return addr.IsLoopback() || addr.IsUnspecified() || addr.IsLinkLocalUnicast() || addr.IsMulticast()
}

func isLocalhost(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// originOf is scheme, host and port (RFC 6454), in lower case and with the scheme's port where none is given.
func originOf(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}
