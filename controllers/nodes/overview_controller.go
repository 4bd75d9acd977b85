package nodes

import (
	"context"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
)

// An overview is made when what concerns all hubs has added up for settleDelay: thousands of nodes may report within a
// second. While there is always something new, one follows upon another after a time that grows with what it costs, hubs
// times nodes, so that the manager's load and the API server's do not; longestSettling is how long figures lag at most.
const (
	settleDelay     = 200 * time.Millisecond
	settlePerPair   = 5 * time.Microsecond
	longestSettling = 5 * time.Second
)

// settling is how long after an overview the next one is made at the earliest.
func settling(hubs, nodes int) time.Duration {
	return min(max(time.Duration(hubs)*time.Duration(nodes)*settlePerPair, settleDelay), longestSettling)
}

// OverviewReconciler makes the overview.
type OverviewReconciler struct {
	Overview *Overview

	// next is when the next overview may be made.
	next time.Time
}

// SetupWithManager watches all that figures are made of, and hubs: one may give a host to another, or take one from it.
func (r *OverviewReconciler) SetupWithManager(mgr ctrl.Manager) error {
	soon := later(client.ObjectKey{Namespace: r.Overview.Namespace, Name: "overview"}, settleDelay)
	comingAndGoing := predicate.Funcs{UpdateFunc: func(event.UpdateEvent) bool { return false }}
	return builder.ControllerManagedBy(mgr).
		Named("overview").
		Watches(&v1alpha1.RegistryHub{}, soon, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&corev1.Node{}, soon, builder.WithPredicates(Relevant())).
		Watches(&v1alpha1.NodeMirror{}, soon).
		Watches(&corev1.Pod{}, soon, builder.WithPredicates(comingAndGoing, predicate.NewPredicateFuncs(isAgent))).
		Watches(&appsv1.DaemonSet{}, soon, builder.WithPredicates(comingAndGoing, Named(configv1alpha1.NodeAgentName))).
		Watches(&corev1.ConfigMap{}, soon, builder.WithPredicates(Named(configv1alpha1.NodeConfigurationName))).
		Complete(r)
}

// Reconcile makes the overview, or comes back when it may.
func (r *OverviewReconciler) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	now := r.Overview.Now()
	if wait := r.next.Sub(now); wait > 0 {
		return reconcile.Result{RequeueAfter: min(wait, longestSettling)}, nil
	}
	hubs, nodes, err := r.Overview.make(ctx)
	r.next = now.Add(settling(hubs, nodes))
	return reconcile.Result{}, err
}

// isAgent says whether a Pod is a node agent's. The others that are watched are the proxies'.
func isAgent(pod client.Object) bool { return pod.GetLabels()[v1alpha1.LabelHub] == "" }

// later leads every object to one key, which is looked at after a while: what comes meanwhile adds up.
func later(key client.ObjectKey, after time.Duration) handler.EventHandler {
	type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]
	add := func(q queue) { q.AddAfter(reconcile.Request{NamespacedName: key}, after) }
	return handler.Funcs{
		CreateFunc: func(_ context.Context, _ event.CreateEvent, q queue) { add(q) },
		UpdateFunc: func(_ context.Context, _ event.UpdateEvent, q queue) { add(q) },
		DeleteFunc: func(_ context.Context, _ event.DeleteEvent, q queue) { add(q) },
	}
}
