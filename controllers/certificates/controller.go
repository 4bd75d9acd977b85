// Package certificates keeps what TLS between nodes and hubs rests on: the certificate authority, the bundle of those that
// are trusted, and the certificate that nodes show. Hubs' own certificates are kept by the hubs' reconciler.
package certificates

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/controllers/internal/apply"
	"github.com/registryhub/registryhub/controllers/internal/leaf"
	"github.com/registryhub/registryhub/controllers/internal/pki"
	"github.com/registryhub/registryhub/controllers/metrics"
	"github.com/registryhub/registryhub/controllers/nodes"
	"github.com/registryhub/registryhub/controllers/resources"
)

// Reconciler keeps the certificate authority and what all nodes have of it.
type Reconciler struct {
	Client client.Client
	// Live reads past the cache: Secrets, which are never cached.
	Live         client.Reader
	Events       events.EventRecorder
	Now          func() time.Time
	Installation *nodes.Installation
	Settings     resources.Settings
	Certificates configv1alpha1.CertificatesConfiguration
	// Metrics are told until when the certificates are good.
	Metrics *metrics.Manager
}

// SetupWithManager watches the bundle. Secrets are looked at now and then: to watch one is to be allowed to list all.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	return builder.ControllerManagedBy(mgr).
		Named("certificates").
		For(&corev1.ConfigMap{}, builder.WithPredicates(nodes.Named(configv1alpha1.BundleName))).
		WatchesRawSource(nodes.Once(r.key(configv1alpha1.BundleName))).
		Complete(r)
}

// Reconcile takes at most one step of a rotation, and then sees that everything says what the authorities are. The
// authorities' own Secret is written first: what is published must never be lost.
func (r *Reconciler) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	owner, removed, err := r.Installation.Owner(ctx)
	if err != nil || removed {
		return reconcile.Result{}, err
	}
	now := r.Now()
	authorities, err := r.keepAuthorities(ctx, owner, now)
	if err != nil {
		return reconcile.Result{}, err
	}
	if err := r.publish(ctx, owner, authorities); err != nil {
		return reconcile.Result{}, err
	}
	kept, err := r.keepNodeClient(ctx, owner, authorities, now)
	if err != nil {
		return reconcile.Result{}, err
	}
	r.Metrics.Expires(metrics.Authority, authorities.Current.Certificate.NotAfter)
	r.Metrics.Expires(metrics.NodeClient, kept.Expiry)
	next := min(authorities.NextLook(r.settings(), now), kept.Renewal.Sub(now))
	return reconcile.Result{RequeueAfter: max(next, time.Second)}, nil
}

// keepAuthorities reads the authorities, takes the step that is due, and writes them if that changed them, or if
// somebody else did.
func (r *Reconciler) keepAuthorities(ctx context.Context, owner *metav1ac.OwnerReferenceApplyConfiguration, now time.Time) (pki.Authorities, error) {
	live, err := r.secret(ctx, configv1alpha1.AuthoritySecretName)
	if err != nil {
		return pki.Authorities{}, err
	}
	published, err := r.published(ctx)
	if err != nil {
		return pki.Authorities{}, err
	}
	authorities, lost := pki.ReadAuthorities(dataOf(live), published)
	observed, err := r.observe(ctx, live, authorities)
	if err != nil {
		return pki.Authorities{}, err
	}
	step, reason := authorities.NextStep(observed, r.settings(), now)
	if authorities, err = authorities.After(step, r.settings(), now); err != nil {
		return pki.Authorities{}, err
	}
	data, err := authorities.Data()
	if err != nil {
		return pki.Authorities{}, err
	}
	wanted := resources.AuthoritySecret(r.Settings, data)
	if owner != nil {
		wanted.WithOwnerReferences(owner)
	}
	if written, err := apply.SecretOver(ctx, r.Client, live, wanted); err != nil || !written {
		return authorities, err
	}
	log.FromContext(ctx).Info("wrote the certificate authority", "step", step, "reason", reason, "lost", lost)
	r.tell(step, reason, lost)
	return authorities, nil
}

// publish writes the bundle, which leads the nodes' configuration and every hub to look again.
func (r *Reconciler) publish(ctx context.Context, owner *metav1ac.OwnerReferenceApplyConfiguration, authorities pki.Authorities) error {
	wanted := resources.BundleConfigMap(r.Settings, authorities.Bundle(), authorities.Current.Certificate.Subject.CommonName)
	if owner != nil {
		wanted.WithOwnerReferences(owner)
	}
	_, err := apply.ConfigMap(ctx, r.Client, wanted)
	return err
}

func (r *Reconciler) keepNodeClient(ctx context.Context, owner *metav1ac.OwnerReferenceApplyConfiguration, authorities pki.Authorities, now time.Time) (leaf.Kept, error) {
	secret := resources.NodeClientCertificate(r.Settings)
	if owner != nil {
		secret.WithOwnerReferences(owner)
	}
	keeper := leaf.Keeper{Client: r.Client, Lifetime: r.Certificates.Lifetime.Duration, Now: now}
	kept, err := keeper.Keep(ctx, authorities, leaf.Wanted{Secret: secret, Profile: pki.Client("registryhub-node")})
	if err == nil && kept.Issued != "" {
		log.FromContext(ctx).Info("issued the nodes' client certificate", "reason", kept.Issued)
	}
	return kept, err
}

func (r *Reconciler) settings() pki.Settings {
	return pki.Settings{Lifetime: r.Certificates.AuthorityLifetime.Duration, Overlap: r.Certificates.Overlap.Duration}
}

func (r *Reconciler) key(name string) client.ObjectKey {
	return client.ObjectKey{Namespace: r.Settings.Namespace, Name: name}
}

// secret reads a Secret past the cache; nil when there is none.
func (r *Reconciler) secret(ctx context.Context, name string) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	if err := r.Live.Get(ctx, r.key(name), secret); err != nil {
		if client.IgnoreNotFound(err) == nil {
			return nil, nil
		}
		return nil, fmt.Errorf("reading Secret %s: %w", name, err)
	}
	return secret, nil
}

func dataOf(secret *corev1.Secret) map[string][]byte {
	if secret == nil {
		return nil
	}
	return secret.Data
}

// published is the bundle that was published last, read past the cache: it may have to stand in for a lost Secret.
func (r *Reconciler) published(ctx context.Context) ([]byte, error) {
	configMap := &corev1.ConfigMap{}
	if err := r.Live.Get(ctx, r.key(configv1alpha1.BundleName), configMap); client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("reading ConfigMap %s: %w", configv1alpha1.BundleName, err)
	}
	return []byte(configMap.Data[configv1alpha1.BundleKey]), nil
}
