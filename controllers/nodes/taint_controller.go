package nodes

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/registryhub/registryhub/api/v1alpha1"
)

// TaintReconciler takes the start-up taint off nodes that are wired, or have waited for long enough. It changes nothing else
// on a Node, and puts no taint on one.
type TaintReconciler struct {
	// Client reads from the cache, and writes.
	Client client.Client
	// Live reads past the cache, which does not hold all of a Node.
	Live   client.Reader
	Events events.EventRecorder
	Now    func() time.Time
	// Overview knows what the nodes are told.
	Overview *Overview
	// Timeout is when a node is freed in any case, counted from when it registered.
	Timeout time.Duration
}

// SetupWithManager watches Nodes that have the taint, and the reports of all.
func (r *TaintReconciler) SetupWithManager(mgr ctrl.Manager) error {
	tainted := predicate.NewPredicateFuncs(func(o client.Object) bool {
		node, ok := o.(*corev1.Node)
		return ok && len(startupTaints(node.Spec.Taints)) > 0
	})
	return builder.ControllerManagedBy(mgr).
		Named("startup-taint").
		For(&corev1.Node{}, builder.WithPredicates(tainted)).
		Watches(&v1alpha1.NodeMirror{}, &handler.EnqueueRequestForObject{}).
		Complete(r)
}

// Reconcile frees a node, or comes back when its time is over.
func (r *TaintReconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	node := &corev1.Node{}
	if err := r.Client.Get(ctx, request.NamespacedName, node); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if len(startupTaints(node.Spec.Taints)) == 0 {
		return reconcile.Result{}, nil
	}
	freedom, err := r.freedomOf(ctx, node)
	switch {
	case err != nil:
		return reconcile.Result{}, err
	case !freedom.Wired && !freedom.Overdue:
		return reconcile.Result{RequeueAfter: freedom.Remains}, nil
	}
	return r.free(ctx, node.Name, freedom)
}

func (r *TaintReconciler) freedomOf(ctx context.Context, node *corev1.Node) (Freedom, error) {
	mirror := &v1alpha1.NodeMirror{}
	if err := r.Client.Get(ctx, client.ObjectKeyFromObject(node), mirror); client.IgnoreNotFound(err) != nil {
		return Freedom{}, fmt.Errorf("reading the NodeMirror: %w", err)
	}
	configuration, err := r.Overview.Configuration(ctx)
	if err != nil {
		return Freedom{}, err
	}
	reported := newNode(node)
	if ownedBy(mirror, node) {
		reported.take(mirror.Status)
	}
	return FreedomOf(reported, node.CreationTimestamp.Time, configuration, r.Timeout, r.Now()), nil
}

// free takes the taint off the Node as it is now; when it changed meanwhile, that is tried again.
func (r *TaintReconciler) free(ctx context.Context, name string, freedom Freedom) (reconcile.Result, error) {
	node := &corev1.Node{}
	if err := r.Live.Get(ctx, client.ObjectKey{Name: name}, node); err != nil {
		return reconcile.Result{}, needsRights(client.IgnoreNotFound(err))
	}
	before := node.DeepCopy()
	node.Spec.Taints = slices.DeleteFunc(node.Spec.Taints, isStartupTaint)
	err := r.Client.Patch(ctx, node, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	switch {
	case apierrors.IsConflict(err):
		return reconcile.Result{RequeueAfter: time.Second}, nil
	case err != nil:
		return reconcile.Result{}, needsRights(client.IgnoreNotFound(err))
	}
	log.FromContext(ctx).Info("freed the node", "wired", freedom.Wired)
	if !freedom.Wired {
		r.Events.Eventf(node, nil, corev1.EventTypeWarning, v1alpha1.ReasonNotWiredInTime, "Free",
			"the node was not wired within %s, and is freed for Pods all the same: see NodeMirror %s", r.Timeout, name)
	}
	return reconcile.Result{}, nil
}

func needsRights(err error) error {
	if apierrors.IsForbidden(err) {
		return fmt.Errorf("taking the start-up taint off: apply config/startup-taint, which holds the rights: %w", err)
	}
	return err
}
