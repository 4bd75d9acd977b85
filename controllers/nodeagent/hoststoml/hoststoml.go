// Package hoststoml writes and reads the hosts.toml files that lead containerd to a hub. It is pure: bytes in,
// bytes out.
//
// The format is containerd's (https://github.com/containerd/containerd/blob/main/docs/hosts.md). What is left out
// matters as much as what is written: without `server`, containerd goes on to the namespace's own registry after
// the mirrors (docker.io's is registry-1.docker.io, which only that default knows); and TLS keys on an http
// mirror would make it try HTTPS first.
package hoststoml

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"path"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"
)

// File is what one hosts.toml of ours says.
type File struct {
	// Hub that the file leads to, and the revision at which its wiring last changed: the mark in the first line.
	Hub      string
	Revision int64

	// Mirrors are tried in this order, and the upstream after them. At least one.
	Mirrors []Mirror

	// Server is asked after the mirrors instead of the upstream: a mirror's URL again, where there must be no other way. It
	// is asked as that mirror is. Default: the namespace's own registry.
	Server string

	// Inline writes the mirror's table into its line, as containerd 1.x needs it for an IPv6 address: its TOML parser ends a
	// table's name at the first ']', quoted or not, so that it drops a file with one and goes to the upstream. 2.x, in turn,
	// finds mirrors in the names of tables alone. There can be one mirror then: the order of more would be lost.
	Inline bool
}

// Mirror is one registry that is tried before the upstream, for pulls only.
type Mirror struct {
	// URL of the registry, http or https, without a path. An IPv6 address stands in brackets.
	URL string

	// DialTimeout bounds the TCP connect, so that an address nobody answers at costs a pull this much and not
	// half a minute. Known to containerd from 2.1 on, ignored before.
	DialTimeout time.Duration

	// CA is the file with the certificates that the mirror's is signed by. "": the node's own roots. containerd fails
	// every pull, with no fallback, when it is missing or holds no certificate.
	CA string

	// ClientCertificate and ClientKey are the files that show the mirror who asks. Both or neither; missing files fail
	// every pull too.
	ClientCertificate, ClientKey string

	// Referrers has the mirror asked for an image's referrers too. Known to containerd from 2.2 on; before, it drops the
	// whole file.
	Referrers bool
}

// capabilities of a mirror. Without them containerd would push to it too.
func (m Mirror) capabilities() []string {
	if m.Referrers {
		return []string{"pull", "resolve", "referrers"}
	}
	return []string{"pull", "resolve"}
}

// Encode writes the file, mark first, mirrors in their order. It refuses what containerd would not take as it is
// meant, and reads back what it wrote: a file that containerd drops would silently take the hub out of every pull.
func Encode(f File) ([]byte, error) {
	if err := f.validate(); err != nil {
		return nil, fmt.Errorf("encoding hosts.toml for hub %q: %w", f.Hub, err)
	}
	var out bytes.Buffer
	fmt.Fprintln(&out, mark(f.Hub, f.Revision))
	f.writeServer(&out)
	for _, m := range f.Mirrors {
		if f.Inline {
			fmt.Fprintf(&out, "\n[host]\n  %s = {%s}\n", quote(m.URL), strings.Join(m.pairs(), ", "))
		} else {
			fmt.Fprintf(&out, "\n[host.%s]\n  %s\n", quote(m.URL), strings.Join(m.pairs(), "\n  "))
		}
	}
	back, err := Decode(out.Bytes())
	if err != nil {
		return nil, fmt.Errorf("reading back what was encoded: %w", err)
	}
	if !reflect.DeepEqual(back, f) {
		return nil, fmt.Errorf("encoding hosts.toml for hub %q: %+v reads back as %+v", f.Hub, f, back)
	}
	return out.Bytes(), nil
}

// pairs are the keys and values of a mirror's table.
func (m Mirror) pairs() []string {
	all := []string{"capabilities = " + quoteAll(m.capabilities()), "dial_timeout = " + quote(m.DialTimeout.String())}
	if m.CA != "" {
		all = append(all, "ca = "+quote(m.CA))
	}
	if m.ClientCertificate != "" {
		all = append(all, "client = ["+quoteAll([]string{m.ClientCertificate, m.ClientKey})+"]")
	}
	return all
}

func (f File) validate() error {
	if !utf8.ValidString(f.Hub) {
		return errors.New("the hub's name is not UTF-8")
	}
	if len(f.Mirrors) == 0 {
		return errors.New("it has no mirror: a file without one says nothing")
	}
	if f.Inline && len(f.Mirrors) > 1 {
		return errors.New("it has more than one mirror in line, whose order containerd 1.x would not see")
	}
	seen := map[string]bool{}
	for _, m := range f.Mirrors {
		if seen[m.URL] {
			return fmt.Errorf("mirror %q is there twice: containerd drops a file with a duplicate table", m.URL)
		}
		seen[m.URL] = true
		if err := m.validate(); err != nil {
			return fmt.Errorf("mirror %q: %w", m.URL, err)
		}
	}
	if f.Server != "" && !seen[f.Server] {
		return fmt.Errorf("server %q is none of its mirrors: leave it out for the upstream", f.Server)
	}
	return nil
}

func (m Mirror) validate() error {
	u, err := url.Parse(m.URL)
	switch {
	case err != nil || !utf8.ValidString(m.URL):
		return errors.New("not a URL: write it like http://10.96.31.7:5000 or http://[fd00::7]:5000")
	case u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "":
		return errors.New("not an absolute http or https URL")
	case u.Scheme+"://"+u.Host != m.URL:
		// containerd would ask "http://host/" for "//v2".
		return errors.New("it holds more than scheme, host and port: leave the rest out, a final slash too")
	case m.DialTimeout <= 0:
		return fmt.Errorf("dial timeout %s: it must be above zero, since containerd takes zero for no limit", m.DialTimeout)
	}
	return m.validateTLS(u.Scheme)
}

// validateTLS refuses TLS keys on an http mirror, which containerd would ask by https first, and paths that it would
// look for beside the file, which the next swap takes away.
func (m Mirror) validateTLS(scheme string) error {
	if (m.ClientCertificate == "") != (m.ClientKey == "") {
		return errors.New("a client certificate and its key go together")
	}
	for _, file := range []string{m.CA, m.ClientCertificate, m.ClientKey} {
		switch {
		case file == "":
		case scheme != "https":
			return errors.New("TLS files need an https URL")
		case !utf8.ValidString(file) || !path.IsAbs(file) || path.Clean(file) != file:
			return fmt.Errorf("%q is not a clean absolute path", file)
		}
	}
	return nil
}
