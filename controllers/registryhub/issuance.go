package registryhub

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/internal/conditions"
	"github.com/registryhub/registryhub/controllers/internal/leaf"
	"github.com/registryhub/registryhub/controllers/internal/pki"
	"github.com/registryhub/registryhub/controllers/nodes"
	"github.com/registryhub/registryhub/controllers/resources"
)

// A hub with an issuer goes over to its certificate in steps: what cert-manager writes is read; nodes are told to trust its
// authority, for this hub alone; when they do, it is copied to the hub's own Secret. A renewal goes the same way. Until then,
// when an issuer fails until its certificate ends, and when it has none yet for a new address, the hub has one of the
// operator's own authority, which nodes trust all the while. What nodes are told is in the status, and what the hub shows in its Secret.

// lastMoment is how long before its end an issuer's certificate is not shown any more.
const lastMoment = presentCertificate

// shownCertificate is a certificate of an issuer that a hub shows, or is to show.
type shownCertificate struct {
	pki.Issued
	issuer string
}

// issuance is what one reconcile knows of a hub's issuer and its certificate.
type issuance struct {
	// asked is the issuer that is asked; nil for none.
	asked *v1alpha1.IssuerReference
	// secret is the hub's own as it was found, empty where there is none, and held what it has of an issuer; nil for nothing.
	secret *corev1.Secret
	held   *shownCertificate
	// offered is what the issuer has.
	offered offer
}

// observeIssuance reads what the hub shows, and what its issuer has for it. A hub that never had an issuer costs nothing.
func (r *Reconciler) observeIssuance(ctx context.Context, s *scope, profile pki.Profile) (issuance, error) {
	i := issuance{secret: &corev1.Secret{}}
	if s.hub.Spec.Endpoint.Certificate == nil && s.hub.Status.Certificate == nil {
		return i, nil
	}
	key := client.ObjectKey{Namespace: r.Settings.Namespace, Name: resources.CertificateName(s.hub)}
	if err := r.Live.Get(ctx, key, i.secret); client.IgnoreNotFound(err) != nil {
		return i, fmt.Errorf("reading Secret %s: %w", key.Name, err)
	}
	i.held = heldOf(i.secret)
	i.asked = issuerToAsk(s.hub, i.held)
	var err error
	switch {
	case i.asked != nil:
		i.offered, err = r.askIssuer(ctx, s, *i.asked, profile)
	case !s.hub.Spec.Suspend:
		err = r.dismissIssuer(ctx, s)
	}
	return i, err
}

func heldOf(secret *corev1.Secret) *shownCertificate {
	issued, err := pki.ReadIssued(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey], secret.Data[pki.IssuerCAKey])
	if err != nil {
		return nil
	}
	return &shownCertificate{Issued: issued, issuer: secret.Annotations[v1alpha1.AnnotationIssuer]}
}

// issuerToAsk is the issuer of the spec. A suspended hub has its certificate renewed by the one that it has.
func issuerToAsk(hub *v1alpha1.RegistryHub, held *shownCertificate) *v1alpha1.IssuerReference {
	if hub.Spec.Endpoint.Certificate == nil {
		return nil
	}
	asked := hub.Spec.Endpoint.Certificate.IssuerRef
	if hub.Spec.Suspend && (held == nil || held.issuer != asked.String()) {
		return nil
	}
	return &asked
}

// toShow is the certificate of an issuer that the hub is to show; nil for one of the operator's own.
func (s *scope) toShow(i issuance, profile pki.Profile) *shownCertificate {
	issued := i.offered.issued
	switch {
	case i.asked == nil && !s.hub.Spec.Suspend:
		return nil
	case issued != nil && issued.Good(s.now, lastMoment) && (i.held != nil && i.held.Same(*issued) || s.nodesTrust(issued.CA)):
		return &shownCertificate{Issued: *issued, issuer: i.asked.String()}
	case i.held != nil && i.held.Good(s.now, lastMoment) && i.held.WhyOtherNames(profile) == "":
		return i.held
	}
	return nil
}

// nodesTrust says whether every node that counts trusts these authorities for the hub. Nodes that are led to it from now on
// are told of them as well. One that reports nothing for a day is waited for no longer.
func (s *scope) nodesTrust(authorities []byte) bool {
	told := s.hub.Status.Certificate
	if told == nil || s.configuration == nil || !pki.BundleHolds([]byte(told.CABundle), authorities) {
		return false
	}
	entry := nodes.FindEntry(s.configuration, s.hub)
	switch {
	case entry == nil, told.Since != nil && !s.now.Before(told.Since.Add(pki.Patience)):
		return true
	case !pki.BundleHolds([]byte(entry.CABundle), authorities):
		return false
	}
	return len(nodes.Behind(s.snapshot, entry.CABundleRevision)) == 0
}

// trust is what nodes are to trust for the hub, and whose certificate it shows; nil for a hub that has nothing of an issuer.
func (s *scope) trust(i issuance, now *shownCertificate, changed time.Time) *v1alpha1.CertificateStatus {
	before := s.hub.Status.Certificate
	next := v1alpha1.CertificateStatus{CABundle: string(s.trustedBundle(i, now, changed))}
	if now != nil {
		next.Issuer = now.issuer
	}
	if i.asked == nil && next.Issuer == "" && next.CABundle == "" {
		return nil
	}
	switch {
	case before != nil && before.CABundle == next.CABundle:
		next.Since = before.Since
	case next.CABundle != "" || before != nil:
		next.Since = new(metav1.NewTime(s.now).Rfc3339Copy())
	}
	return &next
}

// trustedBundle is who signed what the hub shows and what it is to show. What it showed until a moment ago may still be shown by
// a Pod.
func (s *scope) trustedBundle(i issuance, now *shownCertificate, changed time.Time) []byte {
	var bundles [][]byte
	if now != nil {
		bundles = append(bundles, now.CA)
	}
	if i.offered.issued != nil {
		bundles = append(bundles, i.offered.issued.CA)
	}
	needed := pki.JoinBundles(bundles...)
	early := changed.Add(s.certificateOverlap).Sub(s.now)
	if s.hub.Status.Certificate == nil || early <= 0 {
		return needed
	}
	s.requeueIn(max(early, minimumDelay))
	if all := pki.JoinBundles(needed, []byte(s.hub.Status.Certificate.CABundle)); len(all) <= configv1alpha1.MaxHubBundle {
		return all
	}
	return needed
}

// keepIssued makes the hub show an issuer's certificate.
func (r *Reconciler) keepIssued(ctx context.Context, s *scope, i issuance, now shownCertificate, authorities pki.Authorities) (changed time.Time, err error) {
	keeper := leaf.Keeper{Client: r.Client, Now: s.now}
	secret := resources.HubCertificate(s.hub, r.Settings).WithOwnerReferences(ownedBy(s.service))
	changed, err = keeper.Hold(ctx, authorities, i.secret, secret, now.Issued, now.issuer)
	if err == nil && (i.held == nil || !i.held.Same(now.Issued)) {
		issued("by "+now.issuer, *secret.GetName()).record(r.Events, s.hub)
	}
	return changed, err
}

// issuanceState is what CertificateReady says of a hub that shows this certificate of an issuer, or nil for one of the
// operator's own, and how soon that has to be looked at again.
func issuanceState(i issuance, now *shownCertificate, secret string) (state certificateState, after time.Duration) {
	switch {
	case i.asked == nil:
		state, after = certificateState{reason: v1alpha1.ReasonIssued, message: holdsCertificate(secret)}, presentCertificate
	case now != nil && now.issuer == i.asked.String():
		state, after = renewalState(i.offered, *now, secret)
	case i.offered.issued != nil:
		state.reason = v1alpha1.ReasonAwaitingTrust
		state.message = conditions.Join(fmt.Sprintf("nodes are being told to trust who signs for %s", i.asked), meanwhile(now))
		after = awaitedIssuerPeriod
	default:
		state.reason, state.message = i.offered.reason, conditions.Join(i.offered.message, meanwhile(now))
		after = awaitedUnless(i.offered.reason != v1alpha1.ReasonAwaitingIssuer, missingIssuerPeriod)
	}
	return state, after
}

// renewalState is that of a hub that shows what it should.
func renewalState(offered offer, now shownCertificate, secret string) (certificateState, time.Duration) {
	underWay := offered.issued == nil && offered.reason == v1alpha1.ReasonAwaitingIssuer
	if offered.reason != "" && !underWay {
		message := conditions.Join("the hub's certificate should have been renewed and is not", offered.message)
		return certificateState{reason: v1alpha1.ReasonNotRenewed, message: message}, missingIssuerPeriod
	}
	settled := offered.issued != nil && now.Same(*offered.issued)
	return certificateState{reason: v1alpha1.ReasonIssued, message: holdsCertificate(secret) + ", from " + now.issuer}, awaitedUnless(settled, presentCertificate)
}

func holdsCertificate(secret string) string {
	return fmt.Sprintf("Secret %s holds the hub's certificate", secret)
}

func awaitedUnless(settled bool, period time.Duration) time.Duration {
	if settled {
		return period
	}
	return awaitedIssuerPeriod
}

func meanwhile(now *shownCertificate) string {
	if now == nil {
		return "meanwhile the hub shows a certificate of the operator's own authority"
	}
	return "meanwhile the hub shows the certificate from " + now.issuer + " that it has"
}
