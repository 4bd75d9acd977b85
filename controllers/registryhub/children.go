package registryhub

import (
	"context"

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

// applyAddress applies what nodes reach the hub by, which is made once and kept.
func (r *Reconciler) applyAddress(ctx context.Context, s *scope) (err error) {
	s.service, err = apply.Service(ctx, r.Client, resources.Service(s.hub, r.Settings))
	return err
}

// applyProxy applies what the proxy runs with, and the proxy. While a reference is missing both stay as they are: a
// proxy that serves with what it has read is better than one that cannot start.
func (r *Reconciler) applyProxy(ctx context.Context, s *scope) (err error) {
	if len(s.missing) > 0 {
		return nil
	}
	configuration := resources.ProxyConfiguration(s.hub)
	s.choosePlatforms(configuration.Mirror)
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
	held, err := s.heldReplicas()
	if err != nil {
		return err
	}
	if s.deployment, err = apply.Deployment(ctx, r.Client, resources.Deployment(s.hub, r.Settings, s.restartHash, held)); err != nil {
		return err
	}
	if wanted := resources.PodDisruptionBudget(s.hub, r.Settings); wanted != nil {
		_, err = apply.PodDisruptionBudget(ctx, r.Client, wanted)
	}
	return err
}

// heldReplicas is the number of replicas that the Deployment has from the operator; nil for none.
func (s *scope) heldReplicas() (*int32, error) {
	if s.deployment == nil {
		return nil, nil
	}
	return apply.Replicas(s.deployment)
}
