package registryhub

import (
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/nodes"
	"github.com/registryhub/registryhub/controllers/proxies"
	"github.com/registryhub/registryhub/controllers/resources"
)

// scope is all that one reconcile knows: what was observed at its start, and what its phases found. The status is
// computed from it alone.
type scope struct {
	hub   *v1alpha1.RegistryHub
	now   time.Time
	grace time.Duration
	// overlap is how long a hub that has moved is served where it was, and patience how much longer nodes are waited for.
	overlap, patience time.Duration
	// certificateOverlap is how long a certificate that was replaced may still be shown.
	certificateOverlap time.Duration

	// The hub among the others, and what the nodes make of it.
	conflicts     []nodes.Conflict
	refused       []nodes.Need
	snapshot      nodes.Snapshot
	configuration *configv1alpha1.NodeConfiguration

	// Children, nil while they are not there.
	claim      *corev1.PersistentVolumeClaim
	service    *corev1.Service
	deployment *appsv1.Deployment

	// volume is what the claim's surroundings are, and what came of asking for more.
	volume volumeFacts

	// certificate is what came of the hub's certificate; empty for a hub without TLS.
	certificate certificateState

	// reports are what the Pods that are Ready said last.
	reports []proxies.Report

	// configHash names what the proxy should run with, and restartHash what of it needs a start; empty while that is not
	// known.
	configHash, restartHash string
	// movingHash names what the proxy ran with while the hub moved, which is all of that and the former endpoint.
	movingHash string
	// missing says which references lack what.
	missing []string
	// problem is what only a person can change.
	problem *problem
	// awaited says what a deletion waits for.
	awaited []string
	// gone is true when the hub's finalizer is removed: there is nothing to write a status to.
	gone bool

	next time.Duration
}

// observe reads what the cluster has, from the cache.
func (r *Reconciler) observe(ctx context.Context, hub *v1alpha1.RegistryHub) (*scope, error) {
	s := &scope{hub: hub, now: r.Now(), grace: r.NodeGracePeriod, overlap: r.EndpointOverlap, patience: r.WithdrawTimeout, certificateOverlap: r.CertificateOverlap, reports: r.Reports.Of(hub.Name)}
	hubs := &v1alpha1.RegistryHubList{}
	if err := r.Client.List(ctx, hubs, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing hubs: %w", err)
	}
	var err error
	if s.snapshot, err = r.Overview.Snapshot(ctx); err != nil {
		return nil, err
	}
	if s.configuration, err = r.Overview.Configuration(ctx); err != nil {
		return nil, err
	}
	s.conflicts = nodes.Conflicts(nodes.InForce(hubs.Items, s.configuration), s.snapshot.Nodes)[hub.Name]
	if asksForNoFallback(hub) {
		needs, err := nodes.Needs(ctx, r.Client, r.Settings)
		if err != nil {
			return nil, err
		}
		s.refused = nodes.RefusedFallback(hub, needs)
	}
	return s, r.observeChildren(ctx, s)
}

func (r *Reconciler) observeChildren(ctx context.Context, s *scope) error {
	key := client.ObjectKey{Namespace: r.Settings.Namespace, Name: resources.ChildName(s.hub)}
	var err error
	if s.claim, err = find(ctx, r.Client, key, &corev1.PersistentVolumeClaim{}); err != nil {
		return err
	}
	if s.service, err = find(ctx, r.Client, key, &corev1.Service{}); err != nil {
		return err
	}
	if s.deployment, err = find(ctx, r.Client, key, &appsv1.Deployment{}); err != nil {
		return err
	}
	return r.observeVolume(ctx, s)
}

// find reads an object, and gives nil when it is not there.
func find[T client.Object](ctx context.Context, reader client.Reader, key client.ObjectKey, into T) (T, error) {
	var none T
	err := reader.Get(ctx, key, into)
	if err != nil {
		return none, client.IgnoreNotFound(err)
	}
	return into, nil
}

// requeueIn asks for another reconcile after a while; the earliest of several askings counts.
func (s *scope) requeueIn(after time.Duration) {
	if s.next == 0 || after < s.next {
		s.next = after
	}
}

func (s *scope) requeue() reconcile.Result { return reconcile.Result{RequeueAfter: s.next} }
