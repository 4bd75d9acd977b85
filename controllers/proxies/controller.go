// Package proxies asks the Pods of the hubs' proxies what they serve with and what their stores are like, and has the
// kubelet bring them a changed configuration soon.
package proxies

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/resources"
)

const (
	// restPeriod is how often a Pod is asked that serves with what it should: its disk may fail.
	restPeriod = time.Minute
	// minPeriod and maxPeriod bound how often one is asked that is waited for.
	minPeriod, maxPeriod = time.Second, 10 * time.Second
	// atOnce is how many Pods are asked at a time, so that a few that hang do not keep the others from being asked.
	atOnce = 8
)

// Reconciler asks one Pod at a time. What it learns goes to Reports, and nowhere else; that a Pod is asked is this
// controller's own work, so that no hub ever waits for a Pod.
type Reconciler struct {
	// Client reads from the cache and writes.
	Client  client.Client
	Proxies *Client
	Reports *Reports
	Now     func() time.Time
}

// SetupWithManager watches the proxies' Pods, and the ConfigMaps that say what they should serve with.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	ofProxies := predicate.NewPredicateFuncs(func(o client.Object) bool { return o.GetLabels()[v1alpha1.LabelHub] != "" })
	return builder.ControllerManagedBy(mgr).
		Named("proxy-report").
		For(&corev1.Pod{}, builder.WithPredicates(ofProxies, relevant())).
		Watches(&corev1.ConfigMap{}, handler.EnqueueRequestsFromMapFunc(r.podsOf), builder.WithPredicates(ofProxies)).
		WithOptions(controller.Options{MaxConcurrentReconciles: atOnce}).
		Complete(r)
}

// relevant lets those changes of a Pod through after which it has to be asked, or not any more.
func relevant() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, isPod := e.ObjectOld.(*corev1.Pod)
		after, isPodToo := e.ObjectNew.(*corev1.Pod)
		return !isPod || !isPodToo || before.UID != after.UID || address(before) != address(after)
	}}
}

// podsOf are the Pods that have a ConfigMap for their configuration.
func (r *Reconciler) podsOf(ctx context.Context, configMap client.Object) []reconcile.Request {
	pods := &corev1.PodList{}
	hub := client.MatchingLabels{v1alpha1.LabelHub: configMap.GetLabels()[v1alpha1.LabelHub]}
	if err := r.Client.List(ctx, pods, client.InNamespace(configMap.GetNamespace()), hub, client.UnsafeDisableDeepCopy); err != nil {
		return nil // the cache is closing; the next start reconciles every Pod
	}
	requests := make([]reconcile.Request, 0, len(pods.Items))
	for i := range pods.Items {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&pods.Items[i])})
	}
	return requests
}

// Reconcile asks a Pod, notes its answer, and comes back: soon while it does not serve with what it should, pulls ahead what
// it was never asked for, or says what is not believed yet.
func (r *Reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	pod := &corev1.Pod{}
	err := r.Client.Get(ctx, request.NamespacedName, pod)
	if client.IgnoreNotFound(err) != nil {
		return reconcile.Result{}, fmt.Errorf("reading the proxy's Pod: %w", err)
	}
	if apierrors.IsNotFound(err) || address(pod) == "" {
		r.Reports.remove(request.NamespacedName)
		return reconcile.Result{}, nil
	}
	wanted, err := r.wanted(ctx, pod)
	if err != nil || wanted == "" {
		return reconcile.Result{}, err
	}
	now := r.ask(ctx, pod, wanted)
	switch {
	case now.ServesWith(wanted) && isPullingAhead(now.Prewarm):
		return reconcile.Result{RequeueAfter: maxPeriod}, nil
	case now.ServesWith(wanted) && len(now.doubts) > 0:
		return reconcile.Result{RequeueAfter: believeAfter}, nil
	case now.ServesWith(wanted):
		return reconcile.Result{RequeueAfter: restPeriod}, nil
	}
	return reconcile.Result{RequeueAfter: pace(r.Now().Sub(now.since))}, r.nudge(ctx, pod, wanted)
}

// isPullingAhead says whether there are images of which is not known yet whether they can be pulled. Of many that cannot, a
// Pod does not tell how many they are.
func isPullingAhead(said *configv1alpha1.PrewarmReport) bool {
	return said != nil && len(said.Failing) < configv1alpha1.MaxPrewarmFailing && int(said.Warm)+len(said.Failing) < int(said.Images)
}

// wanted is the hash of what a Pod should serve with; empty while its ConfigMap is not there.
func (r *Reconciler) wanted(ctx context.Context, pod *corev1.Pod) (string, error) {
	configMap := &corev1.ConfigMap{}
	hub := &v1alpha1.RegistryHub{ObjectMeta: metav1.ObjectMeta{Name: pod.Labels[v1alpha1.LabelHub]}}
	err := r.Client.Get(ctx, client.ObjectKey{Namespace: pod.Namespace, Name: resources.ChildName(hub)}, configMap)
	if err != nil {
		return "", client.IgnoreNotFound(err)
	}
	return resources.ConfigHash(configMap), nil
}

// ask asks a Pod and notes what came of it.
func (r *Reconciler) ask(ctx context.Context, pod *corev1.Pod, wanted string) known {
	key := client.ObjectKeyFromObject(pod)
	now := r.Reports.get(key)
	if now.pod != pod.UID {
		now = known{pod: pod.UID, hub: pod.Labels[v1alpha1.LabelHub]}
	}
	if now.wanted != wanted {
		now.wanted, now.since, now.AskedFor = wanted, r.Now(), ""
	}
	report, err := r.Proxies.Ask(ctx, address(pod))
	if ctx.Err() != nil {
		return now // the manager ends: nothing was learnt
	}
	now.Problem = ""
	if failed, is := errors.AsType[*AskError](err); is {
		now.Problem = failed.Problem
		log.FromContext(ctx).V(1).Info("a proxy could not be asked for its report", "hub", now.hub, "reason", failed.Error())
	} else {
		now.ProxyReport, now.doubts = now.believe(report, r.Now())
		now.AskedFor = wanted
	}
	r.Reports.put(key, now)
	return now
}

// nudge has the kubelet look at a Pod at once. It brings a changed ConfigMap to a Pod's volume when it looks after the Pod,
// which it does about once a minute, and whenever the Pod changes. The annotation is on the Pod, not on its template: no
// Pod is replaced.
func (r *Reconciler) nudge(ctx context.Context, pod *corev1.Pod, wanted string) error {
	if pod.Annotations[v1alpha1.AnnotationConfigHash] == wanted {
		return nil
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid": pod.UID, "annotations": map[string]string{v1alpha1.AnnotationConfigHash: wanted},
	}})
	if err != nil {
		return fmt.Errorf("encoding the annotation of a proxy's Pod: %w", err)
	}
	named := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name}}
	err = r.Client.Patch(ctx, named, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(configv1alpha1.FieldManager))
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("annotating the proxy's Pod: %w", err)
	}
	return nil
}

// pace is after how long a Pod is asked again that has been waited for this long.
func pace(waited time.Duration) time.Duration { return min(max(waited/4, minPeriod), maxPeriod) }
