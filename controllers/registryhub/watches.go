package registryhub

import (
	"context"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	storagev1 "k8s.io/api/storage/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
)

// minimumDelay keeps a moment that is just past from making a reconcile run in circles.
const minimumDelay = 100 * time.Millisecond

// SetupWithManager watches hubs and what is made for them. What the nodes are told and report, and what other hubs claim,
// comes by way of the overview.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	byLabel := handler.EnqueueRequestsFromMapFunc(hubOfChild)
	return builder.ControllerManagedBy(mgr).
		For(&v1alpha1.RegistryHub{}).
		Watches(&appsv1.Deployment{}, byLabel).
		Watches(&corev1.Service{}, byLabel).
		Watches(&corev1.PersistentVolumeClaim{}, byLabel).
		Watches(&policyv1.PodDisruptionBudget{}, byLabel).
		Watches(&storagev1.StorageClass{}, handler.EnqueueRequestsFromMapFunc(r.hubsOnVolumes)).
		Watches(&corev1.ConfigMap{}, handler.EnqueueRequestsFromMapFunc(r.hubsOfConfigMap)).
		Watches(&appsv1.DaemonSet{}, handler.EnqueueRequestsFromMapFunc(r.withoutFallback), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WatchesRawSource(r.Reports.Changes()).
		WatchesRawSource(r.Overview.Changes()).
		WithOptions(controller.Options{MaxConcurrentReconciles: 4}).
		Complete(r)
}

func hubOfChild(_ context.Context, child client.Object) []reconcile.Request {
	hub := child.GetLabels()[v1alpha1.LabelHub]
	if hub == "" {
		return nil
	}
	return requests(hub)
}

// hubsOnVolumes are those to which a StorageClass may matter: one that comes, or that lets volumes grow from now on.
func (r *Reconciler) hubsOnVolumes(ctx context.Context, _ client.Object) []reconcile.Request {
	return r.hubsThat(ctx, func(hub *v1alpha1.RegistryHub) bool { return hub.Spec.Storage.PersistentVolumeClaim != nil })
}

// hubsOfConfigMap are the hub that a ConfigMap was made for, or those that name it for its CA bundle, or all of
// them if it is the certificate authority's bundle.
func (r *Reconciler) hubsOfConfigMap(ctx context.Context, object client.Object) []reconcile.Request {
	if object.GetName() == configv1alpha1.BundleName {
		return r.hubsThat(ctx, func(*v1alpha1.RegistryHub) bool { return true })
	}
	naming := r.hubsThat(ctx, func(hub *v1alpha1.RegistryHub) bool { return namesConfigMap(hub, object.GetName()) })
	return append(hubOfChild(ctx, object), naming...)
}

func namesConfigMap(hub *v1alpha1.RegistryHub, name string) bool {
	return hub.Spec.Mirror != nil && slices.ContainsFunc(hub.Spec.Mirror.Upstreams, func(u v1alpha1.Upstream) bool {
		return u.CABundleRef != nil && u.CABundleRef.Kind == v1alpha1.CABundleConfigMap && u.CABundleRef.Name == name
	})
}

// withoutFallback are the hubs for which it matters what the cluster's DaemonSets cannot do without.
func (r *Reconciler) withoutFallback(ctx context.Context, _ client.Object) []reconcile.Request {
	return r.hubsThat(ctx, asksForNoFallback)
}

func (r *Reconciler) hubsThat(ctx context.Context, wanted func(*v1alpha1.RegistryHub) bool) []reconcile.Request {
	hubs := &v1alpha1.RegistryHubList{}
	if err := r.Client.List(ctx, hubs, client.UnsafeDisableDeepCopy); err != nil {
		return nil // the cache is closing; the next start reconciles every hub
	}
	var names []string
	for i := range hubs.Items {
		if wanted(&hubs.Items[i]) {
			names = append(names, hubs.Items[i].Name)
		}
	}
	return requests(names...)
}

func requests(names ...string) []reconcile.Request {
	list := make([]reconcile.Request, 0, len(names))
	for _, name := range names {
		list = append(list, reconcile.Request{NamespacedName: client.ObjectKey{Name: name}})
	}
	return list
}
