// Package registryhub reconciles RegistryHubs: children applied, nodes counted, and a status that says how it is.
package registryhub

import (
	"context"
	"errors"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/nodes"
	"github.com/registryhub/registryhub/controllers/proxies"
	"github.com/registryhub/registryhub/controllers/resources"
)

// Reconciler brings one hub at a time to what its spec says.
type Reconciler struct {
	// Client reads from the cache and writes.
	Client client.Client
	// Live reads past the cache: Secrets, which are never cached, and what a deletion must not get wrong.
	Live   client.Reader
	Events events.EventRecorder
	Now    func() time.Time
	// Reports are what the proxies say of themselves.
	Reports *proxies.Reports
	// Overview is what all hubs need of the nodes.
	Overview *nodes.Overview

	Settings        resources.Settings
	NodeGracePeriod time.Duration
	WithdrawTimeout time.Duration
	// EndpointOverlap is how long a hub that has moved is served where it was, at least.
	EndpointOverlap time.Duration
	// CertificateLifetime is how long a hub's certificate lives.
	CertificateLifetime time.Duration
	// CertificateOverlap is how long nodes go on to trust who signed a certificate that was replaced.
	CertificateOverlap time.Duration

	deletions deletions
}

// Reconcile observes, acts, and in the end writes the status once, if it changed.
//
// An error that may pass by itself is returned, and leaves the status as it is: it says nothing of the hub. What is
// waited for is no error. What only a person can change is in the status, as Stalled.
func (r *Reconciler) Reconcile(ctx context.Context, request reconcile.Request) (result reconcile.Result, err error) {
	hub := &v1alpha1.RegistryHub{}
	if err := r.Client.Get(ctx, request.NamespacedName, hub); err != nil {
		if apierrors.IsNotFound(err) {
			r.deletions.forget(request.Name)
			return reconcile.Result{}, r.deleteOrphans(ctx, request.Name)
		}
		return reconcile.Result{}, err
	}
	s, err := r.observe(ctx, hub)
	if err != nil {
		return reconcile.Result{}, err
	}
	defer func() {
		if err == nil || s.problem != nil {
			err = errors.Join(err, r.writeStatus(ctx, s))
			result = unlessFailed(s.requeue(), err)
		}
	}()
	return reconcile.Result{}, r.act(ctx, s)
}

// act runs the phases, each of which relies on those before it.
func (r *Reconciler) act(ctx context.Context, s *scope) error {
	phases := []func(context.Context, *scope) error{
		r.holdForWithdrawal, r.validate, r.applyAddress, r.applyStorage, r.keepCertificate, r.keepKeys, r.resolveReferences,
		r.resolveProxyReferences, r.applyProxy,
	}
	if s.hub.Spec.Suspend {
		phases = []func(context.Context, *scope) error{r.holdForWithdrawal, r.keepCertificate, r.recognize}
	}
	if !s.hub.DeletionTimestamp.IsZero() {
		phases = []func(context.Context, *scope) error{r.withdraw}
	}
	for _, phase := range phases {
		if err := phase(ctx, s); err != nil {
			return s.stall(err)
		}
	}
	return nil
}

// writeStatus writes the status if it is not what it was, and tells of the transitions.
func (r *Reconciler) writeStatus(ctx context.Context, s *scope) error {
	if s.gone {
		return nil
	}
	after := s.hub.DeepCopy()
	after.Status = nextStatus(s)
	r.Reports.Show(after.Name, shownFigures(after.Status, after.Status.Upstreams))
	if sameStatus(s.hub.Status, after.Status) {
		return nil
	}
	// Locked: computed from a hub that the cache had not caught up with, it would undo transition times.
	patch := client.MergeFromWithOptions(s.hub, client.MergeFromWithOptimisticLock{})
	err := r.Client.Status().Patch(ctx, after.DeepCopy(), patch)
	switch {
	case apierrors.IsConflict(err):
		s.requeueIn(time.Second)
		return nil
	case err != nil:
		return client.IgnoreNotFound(err)
	}
	for _, event := range transitions(s.hub, after) {
		event.record(r.Events, after)
	}
	log.FromContext(ctx).V(1).Info("wrote the status", "hub", after.Name)
	return nil
}

// unlessFailed drops the delay when there is an error: controller-runtime backs off by itself then.
func unlessFailed(result reconcile.Result, err error) reconcile.Result {
	if err != nil {
		return reconcile.Result{}
	}
	return result
}
