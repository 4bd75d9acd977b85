package nodeagent

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/nodeagent/certsd"
)

// certsDirectory is what the agent asks of certsd.
type certsDirectory interface {
	Reconcile(desired map[string]certsd.Files) (certsd.Result, error)
	Restore() error
}

// reconciler brings about what is known, whatever woke it. One worker runs it.
type reconciler struct {
	// client reads from the restricted cache, and writes to the API server.
	client  client.Client
	options Options
	files   certsDirectory

	known   known
	applied atomic.Bool
}

func (r *reconciler) setUp(mgr manager.Manager) error {
	if err := errors.Join(
		mgr.AddHealthzCheck("ping", healthz.Ping),
		mgr.AddReadyzCheck("applied", r.ready),
	); err != nil {
		return err
	}
	one := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: client.ObjectKey{Name: r.options.NodeName}}}
	})
	return builder.ControllerManagedBy(mgr).
		Named("node-agent").
		Watches(&corev1.ConfigMap{}, one).
		WatchesMetadata(nodeMetadata(), one, builder.WithPredicates(predicate.LabelChangedPredicate{})).
		Watches(&v1alpha1.NodeMirror{}, one).
		WithOptions(controller.Options{
			// Repairs go on at their pace, whatever fails.
			RateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](Interval/20, Interval),
			// With the API server away there is nothing to do but wait, and no use in starting over.
			CacheSyncTimeout: 24 * time.Hour,
			// Two controllers of this name in one process are two tests.
			SkipNameValidation: new(true),
		}).
		Complete(r)
}

// Reconcile makes the files what the last known configuration says, and reports it.
func (r *reconciler) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	if err := r.known.look(ctx, r.client, r.options); err != nil {
		return reconcile.Result{}, err
	}
	configuration, labels, complete := r.known.both()
	if !complete {
		if r.known.nothingAsked() {
			r.applied.Store(true)
		}
		return reconcile.Result{RequeueAfter: Interval}, nil
	}
	wired := wire(configuration, labels)
	result, failed := r.files.Reconcile(wired.files)
	tell(ctx, configuration.Revision, result)
	outcome := outcome{exceptions: wired.exceptions(result.Failed)}
	if failed == nil {
		outcome.revision = &configuration.Revision
		r.applied.Store(true)
	}
	if err := errors.Join(failed, r.report(ctx, outcome)); err != nil {
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: Interval}, nil
}

func tell(ctx context.Context, revision int64, result certsd.Result) {
	logger := log.FromContext(ctx)
	if len(result.Written) > 0 || len(result.Withdrawn) > 0 {
		logger.Info("Changed the node's hosts", "revision", revision, "written", result.Written, "withdrawn", result.Withdrawn)
	}
	if result.Unswept != nil {
		logger.V(1).Info("Old files could not be removed; trying again", "error", result.Unswept.Error())
	}
}

var errNotApplied = errors.New("the NodeConfiguration has not been brought about yet")

func (r *reconciler) ready(*http.Request) error {
	if !r.applied.Load() {
		return errNotApplied
	}
	return nil
}
