package pki

import (
	"crypto/x509"
	"net/netip"
	"testing"
	"time"
)

func TestWhyIssue(t *testing.T) {
	t.Parallel()
	a, stranger := Authorities{Current: authority(t, start)}, Authorities{Current: authority(t, start)}
	issue := func(by Authorities, profile Profile) (certificate, key []byte) {
		pair, err := by.Issue(profile, start, leafLifetime)
		if err != nil {
			t.Fatal(err)
		}
		if key, err = EncodeKey(pair); err != nil {
			t.Fatal(err)
		}
		return EncodeCertificate(pair.Certificate), key
	}
	good, key := issue(a, hubProfile())
	other, otherKey := issue(stranger, hubProfile())
	client, clientKey := issue(a, Client("hub-x"))
	moved := hubProfile()
	moved.Addresses = []netip.Addr{netip.MustParseAddr("10.96.0.8")}
	renamed := hubProfile()
	renamed.Hosts = append(renamed.Hosts, "hub-x.ns.svc.cluster.local")
	turned := hubProfile()
	turned.Addresses[0], turned.Addresses[1] = turned.Addresses[1], turned.Addresses[0]
	cases := map[string]struct {
		certificate, key []byte
		wanted           Profile
		after            time.Duration
		want             string
	}{
		"good":                        {good, key, hubProfile(), 59 * time.Hour, ""},
		"in another order":            {good, key, turned, 0, ""},
		"nothing there":               {nil, nil, hubProfile(), 0, ReasonMissing},
		"no key":                      {good, nil, hubProfile(), 0, ReasonUnusable},
		"rubbish":                     {[]byte("rubbish"), []byte("rubbish"), hubProfile(), 0, ReasonUnusable},
		"another's key":               {good, otherKey, hubProfile(), 0, ReasonUnusable},
		"of a stranger":               {other, otherKey, hubProfile(), 0, ReasonOtherAuthority},
		"another address":             {good, key, moved, 0, ReasonOtherNames},
		"another name":                {good, key, renamed, 0, ReasonOtherNames},
		"a client's":                  {client, clientKey, Profile{Name: "hub-x", Usage: x509.ExtKeyUsageServerAuth}, 0, ReasonOtherNames},
		"two thirds of its life over": {good, key, hubProfile(), 60 * time.Hour, ReasonAge},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, got := a.WhyIssue(tc.certificate, tc.key, tc.wanted, start.Add(tc.after)); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

func TestALeafDiesNoLaterThanItsAuthority(t *testing.T) {
	t.Parallel()
	a := Authorities{Current: authority(t, start)}
	leaf, err := a.Issue(hubProfile(), start.Add(950*time.Hour), leafLifetime)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := leaf.Certificate.NotAfter, a.Current.Certificate.NotAfter; !got.Equal(want) {
		t.Errorf("it lives until %s, want %s", got, want)
	}
	if _, err := a.Issue(hubProfile(), start.Add(1000*time.Hour), leafLifetime); err == nil {
		t.Error("an authority that has expired signs")
	}
}
