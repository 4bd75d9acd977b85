package registryhub

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/internal/conditions"
	"github.com/registryhub/registryhub/controllers/internal/leaf"
	"github.com/registryhub/registryhub/controllers/internal/pki"
	"github.com/registryhub/registryhub/controllers/resources"
)

// Secrets are not watched. A missing authority is looked for soon; a certificate that is there is looked at again so that
// what somebody did to it is repaired.
const (
	awaitedAuthorityPeriod = 5 * time.Second
	presentCertificate     = 5 * time.Minute
)

// certificateState is what came of a hub's certificate: the reason of its condition.
type certificateState struct {
	reason, message string
	// changed is when what the Secret holds last changed; zero when that is not known.
	changed time.Time
	// decided is true when trust says what the status is to say of the hub's issuer.
	decided bool
	trust   *v1alpha1.CertificateStatus
}

// keepCertificate issues the hub's certificate when it is due, also for plain HTTP, which the hub may leave. A bundle of
// authorities that has changed goes into the same Secret, for the proxy to know nodes by. A hub with an issuer has that one's
// certificate, once nodes trust it.
func (r *Reconciler) keepCertificate(ctx context.Context, s *scope) error {
	profile, found := serverProfile(s.hub, s.service, r.Settings)
	if !found {
		s.certificate = certificateState{reason: v1alpha1.ReasonAwaitingAddress, message: "the hub's Service has no address yet that a certificate could name"}
		return nil
	}
	authorities, err := r.authorities(ctx)
	if err != nil {
		return err
	}
	if authorities == nil {
		s.requeueIn(awaitedAuthorityPeriod)
		s.certificate = certificateState{reason: v1alpha1.ReasonAwaitingAuthority, message: fmt.Sprintf("Secret %s in namespace %s does not hold the certificate authority yet, "+
			"or holds one that cannot be read; the operator sees to it within a minute", configv1alpha1.AuthoritySecretName, r.Settings.Namespace)}
		return nil
	}
	i, err := r.observeIssuance(ctx, s, profile)
	if err != nil {
		return err
	}
	now := s.toShow(i, profile)
	var changed time.Time
	if now != nil {
		changed, err = r.keepIssued(ctx, s, i, *now, *authorities)
	} else {
		changed, err = r.keepOwn(ctx, s, i, profile, *authorities)
	}
	if err != nil {
		return err
	}
	state, after := issuanceState(i, now, resources.CertificateName(s.hub))
	state.changed, state.decided, state.trust = changed, true, s.trust(i, now, changed)
	s.certificate = state
	s.requeueIn(after)
	return nil
}

// keepOwn makes the hub show a certificate of the operator's own authority.
func (r *Reconciler) keepOwn(ctx context.Context, s *scope, i issuance, profile pki.Profile, authorities pki.Authorities) (changed time.Time, err error) {
	keeper := leaf.Keeper{Client: r.Client, Lifetime: r.CertificateLifetime, Now: s.now}
	secret := resources.HubCertificate(s.hub, r.Settings).WithOwnerReferences(ownedBy(s.service))
	kept, err := keeper.Keep(ctx, authorities, leaf.Wanted{Secret: secret, Profile: profile})
	if err != nil {
		return time.Time{}, err
	}
	switch {
	case kept.Issued == "", kept.Issued == pki.ReasonMissing: // the first one is no news
	case i.held != nil:
		issued("in place of that from "+i.held.issuer, *secret.GetName()).record(r.Events, s.hub)
	default:
		issued(kept.Issued, *secret.GetName()).record(r.Events, s.hub)
	}
	s.requeueIn(max(minimumDelay, kept.Renewal.Sub(s.now)))
	return kept.Changed, nil
}

// authorities are those that can issue certificates; nil while there are none. What cannot be read is the certificates'
// reconciler's to repair, and nothing is issued meanwhile.
func (r *Reconciler) authorities(ctx context.Context) (*pki.Authorities, error) {
	key := client.ObjectKey{Namespace: r.Settings.Namespace, Name: configv1alpha1.AuthoritySecretName}
	secret, err := find(ctx, r.Live, key, &corev1.Secret{})
	if err != nil || secret == nil {
		return nil, err
	}
	authorities, lost := pki.ReadAuthorities(secret.Data, nil)
	if len(lost) > 0 || !authorities.CanSign(r.Now()) {
		return nil, nil
	}
	return &authorities, nil
}

func serverProfile(hub *v1alpha1.RegistryHub, service *corev1.Service, settings resources.Settings) (pki.Profile, bool) {
	if service == nil {
		return pki.Profile{}, false
	}
	var addresses []netip.Addr
	for _, address := range service.Spec.ClusterIPs {
		if parsed, err := netip.ParseAddr(address); err == nil {
			addresses = append(addresses, parsed)
		}
	}
	found := len(addresses) > 0
	hosts, addresses := withLedHosts(hub, resources.ServiceHosts(hub, settings), addresses)
	return pki.Server(resources.ChildName(hub), hosts, addresses), found
}

// withLedHosts adds what else nodes reach the hub by. A cluster address that the Service had before is nobody's or another's.
func withLedHosts(hub *v1alpha1.RegistryHub, hosts []string, addresses []netip.Addr) ([]string, []netip.Addr) {
	for _, host := range resources.LedHosts(hub) {
		address, err := netip.ParseAddr(host)
		switch {
		case err != nil && !slices.Contains(hosts, host):
			hosts = append(hosts, host)
		case err == nil && (address.IsLoopback() || isExternal(hub, host)) && !slices.Contains(addresses, address):
			addresses = append(addresses, address)
		}
	}
	return hosts, addresses
}

func isExternal(hub *v1alpha1.RegistryHub, address string) bool {
	external := hub.Spec.Endpoint.External
	if external == nil {
		return false
	}
	named, err := url.Parse(external.URL)
	return err == nil && named.Hostname() == address
}

func ownedBy(service *corev1.Service) *metav1ac.OwnerReferenceApplyConfiguration {
	return metav1ac.OwnerReference().WithAPIVersion("v1").WithKind("Service").WithName(service.Name).WithUID(service.UID)
}

// certificateReady says whether the hub has the certificate that its endpoint needs.
func certificateReady(s *scope) metav1.Condition {
	switch {
	case !resources.HasTLS(s.hub):
		return conditions.True(v1alpha1.ConditionCertificateReady, v1alpha1.ReasonPlainHTTP, "the endpoint is plain HTTP and needs no certificate")
	case s.certificate.reason == "":
		return conditions.False(v1alpha1.ConditionCertificateReady, v1alpha1.ReasonInvalidSpec, "the hub's certificate is not looked after while its spec cannot be used")
	case s.certificate.reason != v1alpha1.ReasonIssued:
		return conditions.False(v1alpha1.ConditionCertificateReady, s.certificate.reason, s.certificate.message)
	}
	return conditions.True(v1alpha1.ConditionCertificateReady, s.certificate.reason, s.certificate.message)
}

// issued tells of a certificate that was issued. What somebody destroyed is worth a warning.
func issued(why, secret string) hubEvent {
	kind := corev1.EventTypeNormal
	if why == pki.ReasonUnusable || why == pki.ReasonOtherAuthority {
		kind = corev1.EventTypeWarning
	}
	return hubEvent{kind: kind, reason: v1alpha1.ReasonIssued, action: "Issue", note: fmt.Sprintf("issued the certificate of Secret %s: %s", secret, why)}
}
