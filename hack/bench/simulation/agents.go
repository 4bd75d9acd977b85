package simulation

import (
	"context"
	"fmt"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
)

// agents play the agents of all nodes: what the NodeConfiguration says is in force, and proven, as soon as the API server
// takes their reports. A node that is behind by several revisions reports the last one alone, as an agent does.
type agents struct {
	client client.Client
	nodes  int

	revision  atomic.Int64
	revisions atomic.Int64
	reports   atomic.Int64
}

func (a *agents) setup(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).Named("agents").
		Watches(&corev1.ConfigMap{}, handler.EnqueueRequestsFromMapFunc(a.told)).
		Watches(&v1alpha1.NodeMirror{}, handler.EnqueueRequestsFromMapFunc(a.behind)).
		WithOptions(concurrently).
		Complete(a)
}

// told notes what nodes are told, and names all of them.
func (a *agents) told(_ context.Context, configMap client.Object) []reconcile.Request {
	content, isConfigMap := configMap.(*corev1.ConfigMap)
	if !isConfigMap || content.Name != configv1alpha1.NodeConfigurationName {
		return nil
	}
	told, err := configv1alpha1.DecodeNodeConfiguration([]byte(content.Data[configv1alpha1.NodeConfigurationKey]))
	if err != nil || told.Revision <= a.revision.Load() {
		return nil
	}
	a.revision.Store(told.Revision)
	a.revisions.Add(1)
	all := make([]reconcile.Request, 0, a.nodes)
	for i := range a.nodes {
		all = append(all, reconcile.Request{NamespacedName: types.NamespacedName{Name: nodeName(i)}})
	}
	return all
}

// behind is a node that does not report what it was told, which is so when its NodeMirror is made.
func (a *agents) behind(_ context.Context, mirror client.Object) []reconcile.Request {
	if reported, is := mirror.(*v1alpha1.NodeMirror); !is || reported.Status.Revision >= a.revision.Load() {
		return nil
	}
	return []reconcile.Request{{NamespacedName: client.ObjectKeyFromObject(mirror)}}
}

// Reconcile reports for a node.
func (a *agents) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	mirror := &v1alpha1.NodeMirror{}
	revision := a.revision.Load()
	if err := a.client.Get(ctx, request.NamespacedName, mirror); err != nil || mirror.Status.Revision >= revision {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	patch := fmt.Appendf(nil, `{"status":{"revision":%d,"provenRevision":%d}}`, revision, revision)
	named := &v1alpha1.NodeMirror{ObjectMeta: metav1.ObjectMeta{Name: mirror.Name}}
	a.reports.Add(1)
	return reconcile.Result{}, a.client.Status().Patch(ctx, named, client.RawPatch(types.MergePatchType, patch))
}
