package nodeagent

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/registryhub/registryhub/api/v1alpha1"
)

// reconciler is the agent's side towards the API server, whatever woke it: it hears what the keeper is to bring about, and
// reports what came of it. One worker runs it.
type reconciler struct {
	// client reads from the restricted cache, and writes to the API server.
	client  client.Client
	options Options
	keeper  *keeper

	known known
}

func (r *reconciler) setUp(mgr manager.Manager) error {
	if err := errors.Join(
		mgr.AddHealthzCheck("ping", healthz.Ping),
		mgr.AddReadyzCheck("applied", r.keeper.ready),
	); err != nil {
		return err
	}
	one := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: client.ObjectKey{Name: r.options.NodeName}}}
	})
	return builder.ControllerManagedBy(mgr).
		Named("node-agent").
		Watches(&corev1.ConfigMap{}, one).
		Watches(&corev1.Node{}, one, builder.WithPredicates(otherNode())).
		Watches(&v1alpha1.NodeMirror{}, one).
		WatchesRawSource(source.Channel(r.keeper.news, one)).
		WithOptions(controller.Options{
			// Reports are tried again at the pace of repairs.
			RateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](Interval/20, Interval),
			// With the API server away there is nothing to do but wait, and no use in starting over.
			CacheSyncTimeout: 24 * time.Hour,
			// Two controllers of this name in one process are two tests.
			SkipNameValidation: new(true),
		}).
		Complete(r)
}

// Reconcile hears and reports. The keeper wakes it after each pass, which is at least once in an Interval.
func (r *reconciler) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	if err := r.known.look(ctx, r.client, r.options); err != nil {
		return reconcile.Result{}, err
	}
	r.keeper.hear(r.known)
	outcome := r.keeper.outcome()
	if outcome == nil {
		return reconcile.Result{}, nil
	}
	return reconcile.Result{}, r.report(ctx, *outcome)
}
