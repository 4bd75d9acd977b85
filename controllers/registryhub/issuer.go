package registryhub

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/internal/apply"
	"github.com/registryhub/registryhub/controllers/internal/pki"
	"github.com/registryhub/registryhub/controllers/resources"
)

// What is cert-manager's is not watched, since its kinds need not be there. It is looked at, while a hub waits for it, and
// while somebody has to make what is missing.
const (
	awaitedIssuerPeriod = 5 * time.Second
	missingIssuerPeriod = 30 * time.Second
)

// certManagerCAKey is where cert-manager writes an issuer's authority to a Secret, if the issuer tells it.
const certManagerCAKey = "ca.crt"

// offer is what an issuer has for a hub.
type offer struct {
	// issued is a certificate that can be shown; nil for none.
	issued *pki.Issued
	// reason and message say what keeps it from having one, or a newer one; "" for nothing.
	reason, message string
}

func noOffer(reason, format string, args ...any) offer {
	return offer{reason: reason, message: fmt.Sprintf(format, args...)}
}

// askIssuer has cert-manager make a certificate, and takes what is there of it.
func (r *Reconciler) askIssuer(ctx context.Context, s *scope, issuer v1alpha1.IssuerReference, profile pki.Profile) (offer, error) {
	wanted := resources.IssuedCertificate(s.hub, r.Settings, issuer, profile.Hosts, profile.Addresses, r.CertificateLifetime)
	wanted.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: "v1", Kind: "Service", Name: s.service.Name, UID: s.service.UID}})
	certificate, err := apply.Unstructured(ctx, r.Client, wanted)
	switch {
	case err != nil:
		return refusedOffer(err)
	case certificate == nil:
		return noOffer(v1alpha1.ReasonAwaitingIssuer, "%s was asked for a certificate", issuer), nil
	case !isReady(certificate):
		return r.explain(ctx, issuer, certificate)
	}
	offered, err := r.takeIssued(ctx, s, certificate, profile)
	if err != nil || offered.issued == nil || !overdue(certificate, s.now) {
		return offered, err
	}
	late, err := r.explain(ctx, issuer, certificate)
	late.issued = offered.issued
	return late, err
}

// takeIssued takes what cert-manager has written, and has it go with the Certificate.
func (r *Reconciler) takeIssued(ctx context.Context, s *scope, certificate *unstructured.Unstructured, profile pki.Profile) (offer, error) {
	name := resources.IssuedCertificateName(s.hub)
	secret, err := find(ctx, r.Live, client.ObjectKey{Namespace: r.Settings.Namespace, Name: name}, &corev1.Secret{})
	if err != nil {
		return offer{}, fmt.Errorf("reading Secret %s: %w", name, err)
	}
	if secret == nil {
		return noOffer(v1alpha1.ReasonAwaitingIssuer, "cert-manager has not written Secret %s yet", name), nil
	}
	owner := resources.Owner(certificate)
	owned := resources.IssuedSecret(s.hub, r.Settings).WithOwnerReferences(metav1ac.OwnerReference().
		WithAPIVersion(owner.APIVersion).WithKind(owner.Kind).WithName(owner.Name).WithUID(owner.UID))
	if _, err := apply.SecretOver(ctx, r.Client, secret, owned); err != nil && !apierrors.IsConflict(err) { // the next look finds what was written meanwhile
		return offer{}, err
	}
	issued, err := pki.ReadIssued(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey], secret.Data[certManagerCAKey])
	if err != nil {
		return noOffer(v1alpha1.ReasonIssuedUnfit, "what Secret %s holds cannot be used: %v", name, err), nil
	}
	if why := issued.WhyUnfit(profile, s.now); why != "" {
		return noOffer(v1alpha1.ReasonIssuedUnfit, "the certificate of Secret %s cannot be used: %s", name, why), nil
	}
	return offer{issued: &issued}, nil
}

// explain says why a Certificate is not ready, or not renewed: cert-manager says it best of the issuer.
func (r *Reconciler) explain(ctx context.Context, reference v1alpha1.IssuerReference, certificate *unstructured.Unstructured) (offer, error) {
	if reference.Group == v1alpha1.CertManagerGroup {
		issuer := resources.CertManagerIssuer(r.Settings, reference)
		err := r.Live.Get(ctx, client.ObjectKeyFromObject(issuer), issuer)
		switch {
		case apierrors.IsNotFound(err):
			return noOffer(v1alpha1.ReasonIssuerNotFound, "%s does not exist", located(reference, issuer)), nil
		case err != nil:
			return refusedOffer(fmt.Errorf("reading %s: %w", reference, err))
		case !isReady(issuer):
			return noOffer(v1alpha1.ReasonIssuerNotReady, "cert-manager says that %s is not ready: %s", located(reference, issuer), ownWords(issuer, "Ready")), nil
		}
	}
	if _, failed, _ := unstructured.NestedString(certificate.Object, "status", "lastFailureTime"); failed {
		return noOffer(v1alpha1.ReasonIssuanceFailed, "%s issued no certificate: %s", reference, ownWords(certificate, "Issuing")), nil
	}
	return noOffer(v1alpha1.ReasonAwaitingIssuer, "%s has not issued the certificate yet: %s", reference, ownWords(certificate, "Ready")), nil
}

func located(reference v1alpha1.IssuerReference, issuer *unstructured.Unstructured) string {
	if issuer.GetNamespace() == "" {
		return reference.String()
	}
	return reference.String() + " in namespace " + issuer.GetNamespace()
}

// refusedOffer says what is in the way when the API server refuses what is asked of cert-manager's kinds. A hub needs more than
// its certificate, and must not wait with the rest for a webhook of somebody else's.
func refusedOffer(err error) (offer, error) {
	switch {
	case meta.IsNoMatchError(err), apierrors.IsNotFound(err):
		return noOffer(v1alpha1.ReasonCertManagerNotInstalled, "the API server does not know cert-manager's Certificates: install cert-manager"), nil
	case apierrors.IsForbidden(err):
		return noOffer(v1alpha1.ReasonCertManagerForbidden, "the operator needs the rights of config/cert-manager: %v", err), nil
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err), apierrors.IsInternalError(err):
		return noOffer(v1alpha1.ReasonIssuanceFailed, "the API server refuses the Certificate: %v", err), nil
	}
	return offer{}, err
}

// dismissIssuer takes the Certificate of a hub back that has no issuer any more; the Secret goes with it.
func (r *Reconciler) dismissIssuer(ctx context.Context, s *scope) error {
	certificate := resources.CertManagerCertificate(s.hub, r.Settings)
	err := r.Live.Get(ctx, client.ObjectKeyFromObject(certificate), certificate)
	if err == nil && certificate.GetLabels()[v1alpha1.LabelHub] == s.hub.Name {
		err = r.Client.Delete(ctx, certificate)
	}
	switch {
	case apierrors.IsForbidden(err):
		log.FromContext(ctx).Info("a Certificate that is not needed any more is left, since the rights of config/cert-manager are gone", "certificate", certificate.GetName())
		return nil
	case meta.IsNoMatchError(err), apierrors.IsNotFound(err):
		return nil
	}
	return err
}

// isReady says whether cert-manager says Ready of the object as it is now.
func isReady(object *unstructured.Unstructured) bool {
	condition := conditionOf(object, "Ready")
	if condition["status"] != string(metav1.ConditionTrue) {
		return false
	}
	observed, told := condition["observedGeneration"].(int64)
	return !told || observed == object.GetGeneration()
}

// ownWords is what cert-manager says in a condition.
func ownWords(object *unstructured.Unstructured, kind string) string {
	message, _ := conditionOf(object, kind)["message"].(string)
	if message == "" {
		return "it says nothing of it yet"
	}
	return message
}

func conditionOf(object *unstructured.Unstructured, kind string) map[string]any {
	list, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
	for _, item := range list {
		if condition, isCondition := item.(map[string]any); isCondition && condition["type"] == kind {
			return condition
		}
	}
	return nil
}

// overdue says whether cert-manager should have renewed a certificate a while ago: a quarter of the time is over that it has
// for that.
func overdue(certificate *unstructured.Unstructured, now time.Time) bool {
	renewal, ends := timeOf(certificate, "renewalTime"), timeOf(certificate, "notAfter")
	return !renewal.IsZero() && !now.Before(renewal.Add(ends.Sub(renewal)/4))
}

func timeOf(certificate *unstructured.Unstructured, field string) time.Time {
	text, _, _ := unstructured.NestedString(certificate.Object, "status", field)
	parsed, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}
	}
	return parsed
}
