package registryhub

import (
	"context"

	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/internal/apply"
	"github.com/registryhub/registryhub/controllers/resources"
)

// A hub's children have no owner reference. With one, a deletion with foreground propagation (kubectl
// --cascade=foreground, Argo CD) takes the Service away first and the hub last, while the nodes still use it. The
// finalizer deletes them, in the right order; a label leads back to the hub.

// holdForWithdrawal sets the finalizer, before anything is made that it must take away again.
func (r *Reconciler) holdForWithdrawal(ctx context.Context, s *scope) error {
	before := s.hub.DeepCopy()
	if !controllerutil.AddFinalizer(s.hub, v1alpha1.Finalizer) {
		return nil
	}
	log.FromContext(ctx).Info("took up the hub", "hosts", s.hub.Spec.Hosts)
	return r.Client.Patch(ctx, s.hub, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
}

// applyAddressAndStorage applies what is made once and kept.
func (r *Reconciler) applyAddressAndStorage(ctx context.Context, s *scope) (err error) {
	if s.service, err = apply.Service(ctx, r.Client, resources.Service(s.hub, r.Settings)); err != nil {
		return err
	}
	if wanted := resources.PersistentVolumeClaim(s.hub, r.Settings, s.requestedStorage()); wanted != nil {
		s.claim, err = apply.PersistentVolumeClaim(ctx, r.Client, wanted)
	}
	return err
}

func (s *scope) requestedStorage() resource.Quantity {
	if s.claim == nil {
		return resource.Quantity{}
	}
	return *s.claim.Spec.Resources.Requests.Storage()
}

// applyProxy applies what the proxy runs with, and the proxy. While a reference is missing both stay as they are: a
// proxy that serves with what it has read is better than one that cannot start.
func (r *Reconciler) applyProxy(ctx context.Context, s *scope) (err error) {
	if len(s.missing) > 0 {
		return nil
	}
	configuration := resources.ProxyConfiguration(s.hub)
	rendered, err := configv1alpha1.Encode(configuration)
	if err != nil {
		return err
	}
	moving, err := configv1alpha1.Encode(resources.MovingConfiguration(s.hub))
	if err != nil {
		return err
	}
	s.configHash, s.restartHash = configv1alpha1.Hash(rendered), configv1alpha1.RestartHash(configuration)
	s.movingHash = configv1alpha1.Hash(moving)
	if _, err = apply.ConfigMap(ctx, r.Client, resources.ProxyConfigMap(s.hub, r.Settings, rendered)); err != nil {
		return err
	}
	s.deployment, err = apply.Deployment(ctx, r.Client, resources.Deployment(s.hub, r.Settings, s.restartHash))
	return err
}
