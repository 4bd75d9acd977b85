// Package leaf keeps leaf certificates in Secrets of type kubernetes.io/tls: issued when they are due, left alone
// otherwise.
package leaf

import (
	"bytes"
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/internal/apply"
	"github.com/registryhub/registryhub/controllers/internal/pki"
)

// Keeper keeps certificates of one lifetime.
type Keeper struct {
	// Client writes Secrets, and reads them past any cache.
	Client   client.Client
	Lifetime time.Duration
	Now      time.Time
}

// Wanted is one certificate and the Secret that it is kept in.
type Wanted struct {
	// Secret without what is in it.
	Secret  *corev1ac.SecretApplyConfiguration
	Profile pki.Profile
}

// Kept is what came of it.
type Kept struct {
	// Issued is why the certificate was issued anew, "" when it was not.
	Issued string
	// Renewal is when it is due next.
	Renewal time.Time
	// Expiry is when it expires.
	Expiry time.Time
	// Changed is when what the Secret holds last changed.
	Changed time.Time
}

// Keep makes the Secret hold a good certificate and the bundle of the authorities. It writes nothing when it does.
func (k Keeper) Keep(ctx context.Context, authorities pki.Authorities, wanted Wanted) (Kept, error) {
	live := &corev1.Secret{}
	key := client.ObjectKey{Namespace: *wanted.Secret.GetNamespace(), Name: *wanted.Secret.GetName()}
	if err := k.Client.Get(ctx, key, live); client.IgnoreNotFound(err) != nil {
		return Kept{}, fmt.Errorf("reading Secret %s: %w", key.Name, err)
	}
	certificate, private := live.Data[corev1.TLSCertKey], live.Data[corev1.TLSPrivateKeyKey]
	pair, due := authorities.WhyIssue(certificate, private, wanted.Profile, k.Now)
	if due != "" {
		var err error
		if pair, err = authorities.Issue(wanted.Profile, k.Now, k.Lifetime); err != nil {
			return Kept{}, fmt.Errorf("issuing the certificate of Secret %s: %w", key.Name, err)
		}
		if private, err = pki.EncodeKey(pair); err != nil {
			return Kept{}, fmt.Errorf("issuing the certificate of Secret %s: %w", key.Name, err)
		}
		certificate = pki.EncodeCertificate(pair.Certificate)
	}
	bundle, changed := authorities.Bundle(), Changed(live)
	if due != "" || changed.IsZero() || !bytes.Equal(bundle, live.Data[configv1alpha1.BundleKey]) {
		changed = k.Now
	}
	_, err := apply.Secret(ctx, k.Client, fill(wanted.Secret, certificate, private, bundle, changed))
	return Kept{Issued: due, Renewal: pki.Renewal(pair), Expiry: pair.Certificate.NotAfter, Changed: changed}, err
}

// Hold makes the Secret hold a certificate that somebody else's authority has signed, and the bundle of the operator's own.
// It writes nothing when it does. live is the Secret as it is, of which it says when it last changed.
func (k Keeper) Hold(ctx context.Context, authorities pki.Authorities, live *corev1.Secret, secret *corev1ac.SecretApplyConfiguration, issued pki.Issued, issuer string) (changed time.Time, err error) {
	bundle, changed := authorities.Bundle(), Changed(live)
	same := bytes.Equal(live.Data[corev1.TLSCertKey], issued.Certificate) && bytes.Equal(live.Data[pki.IssuerCAKey], issued.CA) &&
		bytes.Equal(live.Data[configv1alpha1.BundleKey], bundle)
	if !same || changed.IsZero() {
		changed = k.Now
	}
	wanted := fill(secret, issued.Certificate, issued.Key, bundle, changed).
		WithAnnotations(map[string]string{v1alpha1.AnnotationIssuer: issuer}).
		WithData(map[string][]byte{pki.IssuerCAKey: issued.CA})
	_, err = apply.Secret(ctx, k.Client, wanted)
	return changed, err
}

func fill(secret *corev1ac.SecretApplyConfiguration, certificate, private, bundle []byte, changed time.Time) *corev1ac.SecretApplyConfiguration {
	return secret.
		WithType(corev1.SecretTypeTLS).
		WithAnnotations(map[string]string{v1alpha1.AnnotationChanged: changed.UTC().Format(time.RFC3339)}).
		WithData(map[string][]byte{
			corev1.TLSCertKey: certificate, corev1.TLSPrivateKeyKey: private, configv1alpha1.BundleKey: bundle,
		})
}

// Changed is when the operator last changed what is in a Secret; zero when that cannot be told.
func Changed(secret *corev1.Secret) time.Time {
	changed, err := time.Parse(time.RFC3339, secret.Annotations[v1alpha1.AnnotationChanged])
	if err != nil {
		return time.Time{}
	}
	return changed
}
