package nodes

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/resources"
)

// mirrorsAtOnce is how many NodeMirrors are made at a time, of which a new installation needs one for each node.
const mirrorsAtOnce = 8

// MirrorReconciler gives every Linux Node its NodeMirror. It never writes to one: what is in it is the agent's.
type MirrorReconciler struct {
	Client client.Client
}

// SetupWithManager watches Nodes, and NodeMirrors for being deleted.
func (r *MirrorReconciler) SetupWithManager(mgr ctrl.Manager) error {
	noUpdates := predicate.Funcs{UpdateFunc: func(event.UpdateEvent) bool { return false }}
	return builder.ControllerManagedBy(mgr).
		Named("node-mirror").
		For(&corev1.Node{}, builder.WithPredicates(relabelled())).
		Watches(&v1alpha1.NodeMirror{}, &handler.EnqueueRequestForObject{}, builder.WithPredicates(noUpdates)).
		WithOptions(controller.Options{MaxConcurrentReconciles: mirrorsAtOnce}).
		Complete(r)
}

// Reconcile makes a Node's NodeMirror, and takes away that of an earlier Node of the same name.
func (r *MirrorReconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	node := &corev1.Node{}
	if err := r.Client.Get(ctx, request.NamespacedName, node); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if !isLinux(node) || !node.DeletionTimestamp.IsZero() {
		return reconcile.Result{}, nil
	}
	mirror := &v1alpha1.NodeMirror{}
	err := r.Client.Get(ctx, request.NamespacedName, mirror)
	switch {
	case apierrors.IsNotFound(err):
		return reconcile.Result{}, r.create(ctx, node)
	case err != nil:
		return reconcile.Result{}, fmt.Errorf("reading the NodeMirror: %w", err)
	case ownedBy(mirror, node):
		return reconcile.Result{}, nil
	}
	return reconcile.Result{}, r.remove(ctx, mirror)
}

func (r *MirrorReconciler) create(ctx context.Context, node *corev1.Node) error {
	if err := r.Client.Create(ctx, resources.NodeMirror(node)); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("creating the NodeMirror: %w", err)
	}
	return nil
}

// remove deletes a report that is not this Node's; the deletion is an event upon which a new one is made.
func (r *MirrorReconciler) remove(ctx context.Context, mirror *v1alpha1.NodeMirror) error {
	err := r.Client.Delete(ctx, mirror, client.Preconditions{UID: &mirror.UID})
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("deleting the NodeMirror of an earlier Node: %w", err)
	}
	return nil
}

func ownedBy(mirror *v1alpha1.NodeMirror, node *corev1.Node) bool {
	return slices.ContainsFunc(mirror.OwnerReferences, func(o metav1.OwnerReference) bool { return o.UID == node.UID })
}
