package registryhub

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/internal/pki"
)

var hubProfile = pki.Server("hub-a", []string{"hub-a.ns.svc"}, []netip.Addr{netip.MustParseAddr("10.0.0.1")})

// issuedFor is a certificate for these names, of an authority of its own.
func issuedFor(t *testing.T, profile pki.Profile, lifetime time.Duration) *pki.Issued {
	t.Helper()
	authority, err := pki.Authorities{}.After(pki.Create, pki.Settings{Lifetime: 1000 * time.Hour}, now)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := authority.Issue(profile, now, lifetime)
	if err != nil {
		t.Fatal(err)
	}
	key, err := pki.EncodeKey(pair)
	if err != nil {
		t.Fatal(err)
	}
	read, err := pki.ReadIssued(pki.EncodeCertificate(pair.Certificate), key, authority.Bundle())
	if err != nil {
		t.Fatal(err)
	}
	return &read
}

// withIssuer is a healthy hub with an issuer, whose nodes were told to trust a bundle at revision 5, as they report.
func withIssuer(bundle []byte, changes ...func(*scope)) *scope {
	return healthy(append([]func(*scope){func(s *scope) {
		s.hub.Spec.Endpoint.Scheme = v1alpha1.EndpointHTTPS
		s.hub.Spec.Endpoint.Certificate = &v1alpha1.CertificateSpec{IssuerRef: corpCA}
		s.hub.Status.Certificate = &v1alpha1.CertificateStatus{CABundle: string(bundle), Since: new(metav1.NewTime(now))}
		s.configuration.Hubs[0].CABundle, s.configuration.Hubs[0].CABundleRevision = string(bundle), 5
		s.certificateOverlap = time.Hour
	}}, changes...)...)
}

var corpCA = v1alpha1.IssuerReference{Group: v1alpha1.CertManagerGroup, Kind: "ClusterIssuer", Name: "corp-ca"}

func TestAnIssuersCertificateIsShownOnceNodesTrustIt(t *testing.T) {
	t.Parallel()
	first, second := issuedFor(t, hubProfile, 90*time.Hour), issuedFor(t, hubProfile, 90*time.Hour)
	elsewhere := issuedFor(t, pki.Server("hub-a", []string{"old.example"}, nil), 90*time.Hour)
	both := pki.JoinBundles(first.CA, second.CA)
	held := &shownCertificate{Issued: *first, issuer: corpCA.String()}
	untold := func(s *scope) { s.configuration.Hubs[0].CABundle = string(first.CA) }
	unwired := func(s *scope) { s.configuration.Hubs = nil }
	later := func(s *scope) { s.now = now.Add(pki.Patience) }
	ending := func(s *scope) { s.now = now.Add(90*time.Hour - lastMoment) }
	another := func(s *scope) { s.hub.Spec.Endpoint.Certificate.IssuerRef.Name = "other" }
	none := func(s *scope) { s.hub.Spec.Endpoint.Certificate = nil }
	for name, tc := range map[string]struct {
		scope   *scope
		held    *shownCertificate
		offered *pki.Issued
		want    *pki.Issued
	}{
		"nothing is issued yet":                          {withIssuer(nil), nil, nil, nil},
		"the first, and nodes trust it":                  {withIssuer(first.CA), nil, first, first},
		"the first, and no node was told of the hub":     {withIssuer(first.CA, unwired), nil, first, first},
		"the first, and the status does not say so yet":  {withIssuer(nil), nil, first, nil},
		"the first, and a node has not heard of it":      {withIssuer(first.CA, everyNode(behind)), nil, first, nil},
		"the first, and a node is silent for a day":      {withIssuer(first.CA, everyNode(behind), later), nil, first, first},
		"the next, and nodes trust it":                   {withIssuer(both), held, second, second},
		"the next, and nodes were not told":              {withIssuer(both, untold), held, second, first},
		"the next, and a node has not heard of it":       {withIssuer(both, everyNode(behind)), held, second, first},
		"the same, and a node has not heard of anything": {withIssuer(first.CA, everyNode(behind)), held, first, first},
		"it fails, and the last one is good":             {withIssuer(first.CA), held, nil, first},
		"it fails, and the last one is about to end":     {withIssuer(first.CA, ending), held, nil, nil},
		"it has one that is about to end":                {withIssuer(first.CA, ending), held, first, nil},
		"another issuer, which has none yet":             {withIssuer(first.CA, another), held, nil, first},
		"it has one for another name":                    {withIssuer(first.CA), &shownCertificate{Issued: *elsewhere, issuer: corpCA.String()}, nil, nil},
		"no issuer any more":                             {withIssuer(first.CA, none), held, nil, nil},
		"no issuer any more, but suspended":              {withIssuer(first.CA, none, suspend), held, nil, first},
		"another issuer, but suspended":                  {withIssuer(first.CA, another, suspend), held, nil, first},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := issuance{held: tc.held, asked: issuerToAsk(tc.scope.hub, tc.held), offered: offer{issued: tc.offered}}
			got := tc.scope.toShow(i, hubProfile)
			if (got == nil) != (tc.want == nil) || got != nil && !got.Same(*tc.want) {
				t.Errorf("it shows %v, want %v", got, tc.want)
			}
		})
	}
}

func TestWhatNodesAreToTrust(t *testing.T) {
	t.Parallel()
	first, second := issuedFor(t, hubProfile, 90*time.Hour), issuedFor(t, hubProfile, 90*time.Hour)
	both := pki.JoinBundles(first.CA, second.CA)
	before := metav1.NewTime(now.Add(-time.Minute))
	since := func(s *scope) { s.hub.Status.Certificate.Since = &before }
	none := func(s *scope) { s.hub.Spec.Endpoint.Certificate = nil }
	never := func(s *scope) { s.hub.Status.Certificate = nil }
	shown := &shownCertificate{Issued: *first, issuer: corpCA.String()}
	long, justNow := now.Add(-time.Hour), now
	status := func(issuer string, bundle []byte, at *metav1.Time) *v1alpha1.CertificateStatus {
		return &v1alpha1.CertificateStatus{Issuer: issuer, CABundle: string(bundle), Since: at}
	}
	changed := new(metav1.NewTime(now).Rfc3339Copy())
	for name, tc := range map[string]struct {
		scope   *scope
		shown   *shownCertificate
		offered *pki.Issued
		changed time.Time
		want    *v1alpha1.CertificateStatus
	}{
		"never an issuer":                              {withIssuer(nil, none, never), nil, nil, justNow, nil},
		"an issuer that has nothing":                   {withIssuer(nil, never), nil, nil, long, status("", nil, nil)},
		"the first, before it is shown":                {withIssuer(nil, never), nil, first, long, status("", first.CA, changed)},
		"the first, and nothing changes":               {withIssuer(first.CA, since), nil, first, long, status("", first.CA, &before)},
		"the first is shown":                           {withIssuer(first.CA, since), shown, first, justNow, status(corpCA.String(), first.CA, &before)},
		"the next, before it is shown":                 {withIssuer(first.CA), shown, second, long, status(corpCA.String(), both, changed)},
		"the next is shown, and the first a bit":       {withIssuer(both, since), &shownCertificate{Issued: *second, issuer: corpCA.String()}, second, justNow, status(corpCA.String(), both, &before)},
		"the next is shown, and the first nowhere":     {withIssuer(both), &shownCertificate{Issued: *second, issuer: corpCA.String()}, second, long, status(corpCA.String(), second.CA, changed)},
		"no issuer any more, and the last one a bit":   {withIssuer(first.CA, none, since), nil, nil, justNow, status("", first.CA, &before)},
		"no issuer any more, and the last one nowhere": {withIssuer(first.CA, none), nil, nil, long, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := issuance{asked: issuerToAsk(tc.scope.hub, tc.shown), offered: offer{issued: tc.offered}}
			if diff := cmp.Diff(tc.want, tc.scope.trust(i, tc.shown, tc.changed)); diff != "" {
				t.Errorf("trust (-want +got):\n%s", diff)
			}
		})
	}
	s := withIssuer(nil)
	for range 80 {
		s.hub.Status.Certificate.CABundle = string(pki.JoinBundles([]byte(s.hub.Status.Certificate.CABundle), issuedFor(t, hubProfile, time.Hour).CA))
	}
	if got := s.trust(issuance{asked: &corpCA, offered: offer{issued: first}}, nil, now); got.CABundle != string(first.CA) {
		t.Errorf("nodes are sent %d bytes for one hub", len(got.CABundle))
	}
}

func TestWhatIsSaidOfAnIssuer(t *testing.T) {
	t.Parallel()
	first, second := issuedFor(t, hubProfile, 90*time.Hour), issuedFor(t, hubProfile, 90*time.Hour)
	by := func(issuer string, issued *pki.Issued) *shownCertificate {
		return &shownCertificate{Issued: *issued, issuer: issuer}
	}
	ours := corpCA.String()
	failing := noOffer(v1alpha1.ReasonIssuerNotFound, "it does not exist")
	late := failing
	late.issued = first
	for name, tc := range map[string]struct {
		asked   *v1alpha1.IssuerReference
		shown   *shownCertificate
		offered offer
		want    string
		message string
		after   time.Duration
	}{
		"no issuer":                               {nil, nil, offer{}, v1alpha1.ReasonIssued, "Secret s holds the hub's certificate", presentCertificate},
		"issued":                                  {&corpCA, by(ours, first), offer{issued: first}, v1alpha1.ReasonIssued, "from ClusterIssuer corp-ca", presentCertificate},
		"a renewal that nodes do not trust yet":   {&corpCA, by(ours, first), offer{issued: second}, v1alpha1.ReasonIssued, "from ClusterIssuer corp-ca", awaitedIssuerPeriod},
		"a renewal that is under way":             {&corpCA, by(ours, first), noOffer(v1alpha1.ReasonAwaitingIssuer, "soon"), v1alpha1.ReasonIssued, "from", awaitedIssuerPeriod},
		"a renewal that is overdue":               {&corpCA, by(ours, first), late, v1alpha1.ReasonNotRenewed, "it does not exist", missingIssuerPeriod},
		"a renewal that fails":                    {&corpCA, by(ours, first), failing, v1alpha1.ReasonNotRenewed, "it does not exist", missingIssuerPeriod},
		"the first, which nodes do not trust yet": {&corpCA, nil, offer{issued: first}, v1alpha1.ReasonAwaitingTrust, "the operator's own authority", awaitedIssuerPeriod},
		"the first, which fails":                  {&corpCA, nil, failing, v1alpha1.ReasonIssuerNotFound, "it does not exist; meanwhile the hub shows a certificate of the operator's own", missingIssuerPeriod},
		"the first, which takes a while":          {&corpCA, nil, noOffer(v1alpha1.ReasonAwaitingIssuer, "soon"), v1alpha1.ReasonAwaitingIssuer, "soon", awaitedIssuerPeriod},
		"another issuer, which fails":             {&corpCA, by("Issuer other", first), failing, v1alpha1.ReasonIssuerNotFound, "meanwhile the hub shows the certificate from Issuer other", missingIssuerPeriod},
		"another issuer, awaiting trust":          {&corpCA, by("Issuer other", first), offer{issued: second}, v1alpha1.ReasonAwaitingTrust, "ClusterIssuer corp-ca", awaitedIssuerPeriod},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			state, after := issuanceState(issuance{asked: tc.asked, offered: tc.offered}, tc.shown, "s")
			if state.reason != tc.want || !strings.Contains(state.message, tc.message) || after != tc.after {
				t.Errorf("%s: %q, again in %s; want %s: %q in %s", state.reason, state.message, after, tc.want, tc.message, tc.after)
			}
		})
	}
}

func TestWhatAHubHoldsOfAnIssuer(t *testing.T) {
	t.Parallel()
	one := issuedFor(t, hubProfile, time.Hour)
	secret := &corev1.Secret{Data: map[string][]byte{"tls.crt": one.Certificate, "tls.key": one.Key, "issuer.crt": one.CA}}
	secret.Annotations = map[string]string{v1alpha1.AnnotationIssuer: "Issuer x"}
	if got := heldOf(secret); got == nil || !got.Same(*one) || got.issuer != "Issuer x" {
		t.Errorf("it holds %v", got)
	}
	delete(secret.Data, "issuer.crt")
	if got := heldOf(secret); got != nil {
		t.Errorf("one of the operator's own is an issuer's: %v", got)
	}
}
