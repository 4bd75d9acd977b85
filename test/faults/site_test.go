package faults

import (
	"crypto/tls"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"testing"

	"github.com/registryhub/registryhub/hack/cluster/pki"
	"github.com/registryhub/registryhub/test/faults/origin"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
)

// layerSize is larger than what the proxy holds back of a blob, so that readers get some of it before it is verified.
const layerSize = 192 << 10

// land is what the sites of a test share.
type land struct {
	registry *origin.Registry
	// second is an upstream that never fails; direct is what nodes turn to when the hub fails.
	second, direct *origin.Server
	// secure is a certificate for loopback, caFile the authority's.
	secure *tls.Config
	caFile string
}

func newLand(t *testing.T) *land {
	t.Helper()
	l := &land{registry: origin.NewRegistry()}
	authority, err := pki.NewAuthority("faults")
	must(t, err)
	leaf, err := authority.Issue(pki.Leaf{CommonName: "localhost", Hosts: []string{"127.0.0.1"}})
	must(t, err)
	pair, err := tls.X509KeyPair(leaf.Certificate, leaf.Key)
	must(t, err)
	l.secure = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	l.caFile = filepath.Join(t.TempDir(), "ca.pem")
	must(t, os.WriteFile(l.caFile, authority.Certificate, 0o600))
	l.second, l.direct = l.server(t, nil), l.server(t, nil)
	return l
}

func (l *land) server(t *testing.T, secure *tls.Config) *origin.Server {
	t.Helper()
	s, err := l.registry.Origin(secure)
	must(t, err)
	closeLater(t, s)
	return s
}

func closeLater(t *testing.T, s *origin.Server) {
	t.Helper()
	t.Cleanup(func() { must(t, s.Close()) })
}

// site is one registry host with an image of its own and an upstream of its own, which fails.
type site struct {
	*land
	host   string
	image  *origin.Image
	origin *origin.Server
	tokens *origin.TokenServer
	rules  []origin.Rule
	hosts  config.MirrorHost
}

// newSite makes the site of a row. The name makes its content.
func (l *land) newSite(t *testing.T, name string, r row, upstreams int) *site {
	t.Helper()
	seed := fnv.New64a()
	_, _ = seed.Write([]byte(name)) // never fails
	s := &site{land: l, host: fmt.Sprintf("h%x.test", seed.Sum64())}
	var err error
	s.image, err = l.registry.PushImage("team/"+s.host, "v1", seed.Sum64(), r.layer())
	must(t, err)
	if r.index {
		must(t, l.registry.PushIndex(s.image, r.lacksChild))
	}
	var secure *tls.Config
	if r.secure {
		secure = l.secure
	}
	if r.guarded {
		s.tokens, err = origin.NewTokenServer()
		must(t, err)
		closeLater(t, s.tokens.Server)
		s.origin, err = l.registry.GuardedOrigin(s.tokens, secure)
	} else {
		s.origin, err = l.registry.Origin(secure)
	}
	must(t, err)
	closeLater(t, s.origin)
	s.rules = r.rules(t, s)
	first := config.UpstreamConfiguration{Name: "first", URL: s.origin.URL}
	if r.secure {
		first.CAFile = l.caFile
	}
	s.hosts = config.MirrorHost{Host: s.host, Upstreams: []config.UpstreamConfiguration{first}}
	if upstreams == 2 {
		s.hosts.Upstreams = append(s.hosts.Upstreams, config.UpstreamConfiguration{Name: "second", URL: l.second.URL})
	}
	return s
}

// breakDown puts the rules of the row into force; rules for tokens are the token server's.
func (s *site) breakDown() error {
	if s.tokens == nil {
		return s.origin.Fail(s.rules...)
	}
	var ofTokens, others []origin.Rule
	for _, rule := range s.rules {
		if rule.For == origin.Tokens {
			ofTokens = append(ofTokens, rule)
		} else {
			others = append(others, rule)
		}
	}
	return errors.Join(s.origin.Fail(others...), s.tokens.Fail(ofTokens...))
}

func (s *site) heal() error {
	if s.tokens == nil {
		return s.origin.Heal()
	}
	return errors.Join(s.origin.Heal(), s.tokens.Heal())
}

// elsewhere is another server of the same content, which may fail in its own ways.
func (s *site) elsewhere(t *testing.T, secure *tls.Config, rules ...origin.Rule) string {
	t.Helper()
	other := s.server(t, secure)
	must(t, other.Fail(rules...))
	return other.URL
}
