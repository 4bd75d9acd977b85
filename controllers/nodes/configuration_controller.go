package nodes

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/internal/apply"
	"github.com/registryhub/registryhub/controllers/resources"
)

// ConfigurationReconciler keeps the one NodeConfiguration.
type ConfigurationReconciler struct {
	Client client.Client
	// Live reads past the cache: what the next revision is counted from must be the last one that was written.
	Live         client.Reader
	Installation *Installation
	Settings     resources.Settings
}

// SetupWithManager watches all that the NodeConfiguration is made of, and itself.
func (r *ConfigurationReconciler) SetupWithManager(mgr ctrl.Manager) error {
	toKey := handler.EnqueueRequestsFromMapFunc(always(r.key()))
	return builder.ControllerManagedBy(mgr).
		Named("node-configuration").
		For(&corev1.ConfigMap{}, builder.WithPredicates(Named(configv1alpha1.NodeConfigurationName))).
		Watches(&corev1.ConfigMap{}, toKey, builder.WithPredicates(Named(configv1alpha1.BundleName))).
		Watches(&v1alpha1.RegistryHub{}, toKey).
		Watches(&corev1.Node{}, toKey, builder.WithPredicates(Relevant())).
		Watches(&appsv1.DaemonSet{}, toKey, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WatchesRawSource(Once(r.key())).
		Complete(r)
}

// Reconcile writes the next NodeConfiguration if there is anything new to say.
func (r *ConfigurationReconciler) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	owner, removed, err := r.Installation.Owner(ctx)
	if err != nil || removed {
		return reconcile.Result{}, err
	}
	live, present, err := ReadConfiguration(ctx, r.Live, r.Settings.Namespace)
	if err != nil {
		return reconcile.Result{}, err
	}
	next, err := r.next(ctx, present)
	if err != nil {
		return reconcile.Result{}, err
	}
	rendered, err := configv1alpha1.Encode(next)
	if err != nil {
		return reconcile.Result{}, err
	}
	wanted := resources.NodeConfigMap(r.Settings, rendered)
	if owner != nil {
		wanted.WithOwnerReferences(owner)
	}
	written, err := apply.Over(ctx, r.Client, live, wanted)
	if written && err == nil {
		log.FromContext(ctx).Info("wrote the node configuration", "revision", next.Revision, "hubs", len(next.Hubs))
	}
	return reconcile.Result{}, err
}

func (r *ConfigurationReconciler) next(ctx context.Context, present *configv1alpha1.NodeConfiguration) (*configv1alpha1.NodeConfiguration, error) {
	hubs := &v1alpha1.RegistryHubList{}
	if err := r.Client.List(ctx, hubs, shared); err != nil {
		return nil, fmt.Errorf("listing hubs: %w", err)
	}
	snapshot, err := Observe(ctx, r.Client, r.Settings.Namespace)
	if err != nil {
		return nil, err
	}
	bundle, err := r.bundle(ctx)
	if err != nil {
		return nil, err
	}
	needs, err := Needs(ctx, r.Client, r.Settings)
	if err != nil {
		return nil, err
	}
	standing := InForce(hubs.Items, present)
	conflicts := Conflicts(standing, snapshot.Nodes)
	return NextConfiguration(present, highestRevision(snapshot), standing, conflicts, needs, len(snapshot.Nodes), bundle), nil
}

// bundle is what nodes are to trust; "" while it is not there.
func (r *ConfigurationReconciler) bundle(ctx context.Context) (string, error) {
	published := &corev1.ConfigMap{}
	err := r.Client.Get(ctx, client.ObjectKey{Namespace: r.Settings.Namespace, Name: configv1alpha1.BundleName}, published)
	if client.IgnoreNotFound(err) != nil {
		return "", fmt.Errorf("reading the bundle of the certificate authority: %w", err)
	}
	return published.Data[configv1alpha1.BundleKey], nil
}

func (r *ConfigurationReconciler) key() client.ObjectKey {
	return client.ObjectKey{Namespace: r.Settings.Namespace, Name: configv1alpha1.NodeConfigurationName}
}

// ReadConfiguration reads the NodeConfiguration and the ConfigMap that it is in. Both are nil when the ConfigMap
// does not exist; the configuration alone is nil when it cannot be read, and is then as good as lost.
func ReadConfiguration(ctx context.Context, reader client.Reader, namespace string) (*corev1.ConfigMap, *configv1alpha1.NodeConfiguration, error) {
	live := &corev1.ConfigMap{}
	err := reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: configv1alpha1.NodeConfigurationName}, live)
	if apierrors.IsNotFound(err) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("reading the node configuration: %w", err)
	}
	present, err := configv1alpha1.DecodeNodeConfiguration([]byte(live.Data[configv1alpha1.NodeConfigurationKey]))
	if err != nil {
		log.FromContext(ctx).Info("the node configuration cannot be read and is made anew", "reason", err.Error())
		return live, nil, nil
	}
	return live, present, nil
}
