package certificates

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/internal/leaf"
	"github.com/registryhub/registryhub/controllers/internal/pki"
	"github.com/registryhub/registryhub/controllers/nodes"
	"github.com/registryhub/registryhub/controllers/resources"
)

// observe finds out how far the cluster has come. Outside a rotation there is nothing to find out.
func (r *Reconciler) observe(ctx context.Context, live *corev1.Secret, authorities pki.Authorities) (pki.Observed, error) {
	observed := pki.Observed{RotateBefore: rotateBefore(live)}
	if authorities.Next.IsZero() && len(authorities.Previous) == 0 {
		return observed, nil
	}
	var err error
	if observed.NodesTrust, err = r.nodesTrust(ctx, string(authorities.Bundle())); err != nil {
		return observed, err
	}
	observed.Holders, err = r.holders(ctx)
	return observed, err
}

// rotateBefore is what a person asks for on the Secret; zero for nothing, or nothing that is a time.
func rotateBefore(secret *corev1.Secret) time.Time {
	if secret == nil {
		return time.Time{}
	}
	asked, err := time.Parse(time.RFC3339, secret.Annotations[v1alpha1.AnnotationRotateBefore])
	if err != nil {
		return time.Time{}
	}
	return asked
}

// nodesTrust says whether every Ready node with an agent reports a configuration with this bundle.
func (r *Reconciler) nodesTrust(ctx context.Context, bundle string) (bool, error) {
	_, configuration, err := nodes.ReadConfiguration(ctx, r.Live, r.Settings.Namespace)
	if err != nil || configuration == nil || configuration.CABundle != bundle {
		return false, err
	}
	snapshot, err := nodes.Observe(ctx, r.Client, r.Settings.Namespace)
	return err == nil && len(nodes.Behind(snapshot, configuration.Revision)) == 0, err
}

// holders are the Secrets with certificates, as far as they are there: what is made later is made of the authorities as
// they are then.
func (r *Reconciler) holders(ctx context.Context) ([]pki.Holder, error) {
	hubs := &v1alpha1.RegistryHubList{}
	if err := r.Client.List(ctx, hubs, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing hubs: %w", err)
	}
	names := []string{configv1alpha1.NodeClientSecretName}
	for i := range hubs.Items {
		names = append(names, resources.CertificateName(&hubs.Items[i]))
	}
	var holders []pki.Holder
	for _, name := range names {
		secret, err := r.secret(ctx, name)
		if err != nil {
			return nil, err
		}
		if secret != nil {
			holders = append(holders, pki.Holder{
				Certificate: secret.Data[corev1.TLSCertKey], Issued: len(secret.Data[pki.IssuerCAKey]) > 0,
				Bundle: secret.Data[configv1alpha1.BundleKey], Changed: leaf.Changed(secret),
			})
		}
	}
	return holders, nil
}
