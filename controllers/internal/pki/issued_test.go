package pki

import (
	"crypto/x509"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// issued is what an issuer with this authority gives for a profile.
func issued(t *testing.T, by KeyPair, profile Profile, at time.Time) (certificate, key []byte) {
	t.Helper()
	pair, err := Authorities{Current: by}.Issue(profile, at, leafLifetime)
	if err != nil {
		t.Fatal(err)
	}
	if key, err = EncodeKey(pair); err != nil {
		t.Fatal(err)
	}
	return EncodeCertificate(pair.Certificate), key
}

func TestWhatAnIssuerGivesCanBeShown(t *testing.T) {
	t.Parallel()
	stranger := authority(t, start)
	root, err := sign(issuing(), nil)
	if err != nil {
		t.Fatal(err)
	}
	between, err := sign(issuing(), &root)
	if err != nil {
		t.Fatal(err)
	}
	good, goodKey := issued(t, root, hubProfile(), start)
	below, belowKey := issued(t, between, hubProfile(), start)
	client, clientKey := issued(t, root, Client("hub-x"), start)
	more := hubProfile()
	more.Hosts = append(more.Hosts, "more.example")
	superset, supersetKey := issued(t, root, more, start)
	selfSigned, err := sign(&x509.Certificate{
		NotBefore: start, NotAfter: start.Add(leafLifetime), DNSNames: hubProfile().Hosts, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IPAddresses: ips(hubProfile().Addresses),
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	own := EncodeCertificate(selfSigned.Certificate)
	ownKey, err := EncodeKey(selfSigned)
	if err != nil {
		t.Fatal(err)
	}
	ca := EncodeCertificate(root.Certificate)
	for name, tc := range map[string]struct {
		certificate, key, ca []byte
		wanted               Profile
		after                time.Duration
		want                 string
	}{
		"good":                            {good, goodKey, ca, hubProfile(), 0, ""},
		"more names than are needed":      {superset, supersetKey, ca, hubProfile(), 0, ""},
		"by way of another":               {slices.Concat(below, EncodeCertificate(between.Certificate)), belowKey, ca, hubProfile(), 0, ""},
		"its own authority":               {own, ownKey, own, hubProfile(), 0, ""},
		"blank lines around it":           {good, goodKey, slices.Concat([]byte("\n"), ca, []byte("\n\n")), hubProfile(), 0, ""},
		"by way of one that is not there": {below, belowKey, ca, hubProfile(), 0, "would refuse it"},
		"of another authority":            {good, goodKey, EncodeCertificate(stranger.Certificate), hubProfile(), 0, "would refuse it"},
		"a client's":                      {client, clientKey, ca, hubProfile(), 0, "would refuse it"},
		"expired":                         {good, goodKey, ca, hubProfile(), leafLifetime + time.Second, "would refuse it"},
		"without a name":                  {good, goodKey, ca, more, 0, "it is not for more.example"},
		"without an authority":            {good, goodKey, nil, hubProfile(), 0, "no certificate authority with it"},
		"with rubbish for an authority":   {good, goodKey, []byte("rubbish"), hubProfile(), 0, "something else than PEM"},
		"with a huge authority":           {good, goodKey, several(t, 40), hubProfile(), 0, "bytes of certificate authorities"},
		"with another's key":              {good, belowKey, ca, hubProfile(), 0, "private key does not match"},
		"nothing":                         {nil, nil, nil, hubProfile(), 0, "failed to find any PEM data"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			read, err := ReadIssued(tc.certificate, tc.key, tc.ca)
			var got string
			if err != nil {
				got = err.Error()
			} else {
				got = read.WhyUnfit(tc.wanted, start.Add(tc.after))
			}
			if !strings.Contains(got, tc.want) || tc.want == "" && got != "" {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

// issuing is an authority below which there may be others.
func issuing() *x509.Certificate {
	return &x509.Certificate{NotBefore: start, NotAfter: start.Add(2 * leafLifetime), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
}

func ips(addresses []netip.Addr) []net.IP {
	var list []net.IP
	for _, address := range addresses {
		list = append(list, address.AsSlice())
	}
	return list
}

func TestAnIssuedCertificateIsGoodUntilAMomentBeforeItsEnd(t *testing.T) {
	t.Parallel()
	root := authority(t, start)
	certificate, key := issued(t, root, hubProfile(), start)
	read, err := ReadIssued(certificate, key, EncodeCertificate(root.Certificate))
	if err != nil {
		t.Fatal(err)
	}
	end := start.Add(leafLifetime)
	if !read.Good(end.Add(-time.Minute-time.Second), time.Minute) || read.Good(end.Add(-time.Minute), time.Minute) {
		t.Error("it is not good until a minute before its end, and no longer")
	}
}

func TestBundlesAreSetsOfCertificates(t *testing.T) {
	t.Parallel()
	a, b := EncodeCertificate(authority(t, start).Certificate), EncodeCertificate(authority(t, start).Certificate)
	both := JoinBundles(a, b)
	if string(both) != string(JoinBundles(b, slices.Concat(a, b))) || len(both) != len(a)+len(b) {
		t.Error("a bundle depends on the order of what it is made of, or holds something twice")
	}
	if got := JoinBundles([]byte("rubbish"), a); string(got) != string(a) {
		t.Errorf("with rubbish it is %q", got)
	}
	for name, tc := range map[string]struct {
		bundle, wanted []byte
		want           bool
	}{
		"both hold one":     {both, a, true},
		"one holds itself":  {a, a, true},
		"one holds nothing": {a, nil, true},
		"one is not both":   {a, both, false},
		"nothing holds one": {nil, a, false},
	} {
		if got := BundleHolds(tc.bundle, tc.wanted); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestAnAuthorityIsDroppedThoughHubsHaveIssuers(t *testing.T) {
	t.Parallel()
	other, previous := authority(t, start), authority(t, start)
	certificate, _ := issued(t, other, hubProfile(), start)
	a := Authorities{Current: authority(t, start.Add(time.Hour)), Previous: []*x509.Certificate{previous.Certificate}}
	holder := Holder{Certificate: certificate, Bundle: a.Bundle(), Changed: start}
	settings := Settings{Lifetime: 1000 * time.Hour, Overlap: time.Hour}
	for name, tc := range map[string]struct {
		issued bool
		want   Step
	}{"an issuer's certificate": {true, Drop}, "a stranger's certificate": {false, Keep}} {
		holder.Issued = tc.issued
		if got, why := a.NextStep(Observed{Holders: []Holder{holder}, NodesTrust: true}, settings, start.Add(3*time.Hour)); got != tc.want {
			t.Errorf("%s: %s (%s), want %s", name, got, why, tc.want)
		}
	}
}

// several are many authorities.
func several(t *testing.T, many int) []byte {
	t.Helper()
	var bundles [][]byte
	for range many {
		bundles = append(bundles, EncodeCertificate(authority(t, start).Certificate))
	}
	return slices.Concat(bundles...)
}
