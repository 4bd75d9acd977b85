package nodes

import (
	"context"
	"maps"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/registryhub/registryhub/api/v1alpha1"
)

// Once asks for one reconcile at the start: what a reconciler keeps may not be there yet to cause an event.
func Once(key client.ObjectKey) source.Source {
	return source.Func(func(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		queue.Add(reconcile.Request{NamespacedName: key})
		return nil
	})
}

// always leads every object to the one key of a reconciler that keeps a single thing.
func always(key client.ObjectKey) handler.MapFunc {
	return func(context.Context, client.Object) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: key}}
	}
}

// Named lets one object through.
func Named(name string) predicate.Predicate {
	return predicate.NewPredicateFuncs(func(o client.Object) bool { return o.GetName() == name })
}

// Relevant lets those changes of Nodes through that matter to wiring, and not the kubelet's figures.
func Relevant() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, isNode := e.ObjectOld.(*corev1.Node)
		after, isNodeToo := e.ObjectNew.(*corev1.Node)
		if !isNode || !isNodeToo {
			return true
		}
		was, is := newNode(before), newNode(after)
		return was.Ready != is.Ready || !was.ReadySince.Equal(is.ReadySince) || !maps.Equal(was.Labels, is.Labels) ||
			before.UID != after.UID
	}}
}

// relabelled lets those changes of Nodes through that matter to which hubs select them.
func relabelled() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return e.ObjectOld.GetUID() != e.ObjectNew.GetUID() || !maps.Equal(e.ObjectOld.GetLabels(), e.ObjectNew.GetLabels())
	}}
}

// rewired lets those changes of hubs through that matter to what nodes are told of them, and not their figures.
func rewired() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, isHub := e.ObjectOld.(*v1alpha1.RegistryHub)
		after, isHubToo := e.ObjectNew.(*v1alpha1.RegistryHub)
		if !isHub || !isHubToo {
			return true
		}
		return before.UID != after.UID || before.Generation != after.Generation || before.Status.Endpoint != after.Status.Endpoint ||
			!equality.Semantic.DeepEqual(before.Status.Certificate, after.Status.Certificate) ||
			before.DeletionTimestamp.IsZero() != after.DeletionTimestamp.IsZero() || serves(before) != serves(after)
	}}
}

// Slim is a cache's transform that keeps of a Node, of a Pod and of a NodeMirror what this package reads: the cluster's images and
// environments have no business in the manager's memory.
func Slim(object any) (any, error) {
	switch o := object.(type) {
	case *corev1.Node:
		o.ManagedFields, o.Annotations = nil, nil
		o.Spec = corev1.NodeSpec{Taints: startupTaints(o.Spec.Taints)}
		o.Status = corev1.NodeStatus{Conditions: o.Status.Conditions}
	case *corev1.Pod:
		o.ManagedFields, o.Annotations = nil, nil
		o.Spec = corev1.PodSpec{NodeName: o.Spec.NodeName}
		o.Status = corev1.PodStatus{}
	case *v1alpha1.NodeMirror:
		o.ManagedFields = nil
	}
	return object, nil
}
