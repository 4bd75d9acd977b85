package nodes

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/controllers/internal/apply"
	"github.com/registryhub/registryhub/controllers/resources"
)

// AgentReconciler keeps the DaemonSet of the nodes' agents as the operator's configuration says.
type AgentReconciler struct {
	Client       client.Client
	Installation *Installation
	Settings     resources.Settings
	Agent        configv1alpha1.NodeAgentConfiguration
}

// SetupWithManager watches the DaemonSet, and the manager's Deployment that owns it.
func (r *AgentReconciler) SetupWithManager(mgr ctrl.Manager) error {
	return builder.ControllerManagedBy(mgr).
		Named("node-agent").
		For(&appsv1.DaemonSet{}, builder.WithPredicates(Named(configv1alpha1.NodeAgentName))).
		Watches(&appsv1.Deployment{}, handler.EnqueueRequestsFromMapFunc(always(r.key())),
			builder.WithPredicates(Named(configv1alpha1.ManagerName))).
		WatchesRawSource(Once(r.key())).
		Complete(r)
}

// Reconcile applies the DaemonSet, unless the operator is being removed.
func (r *AgentReconciler) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	owner, removed, err := r.Installation.Owner(ctx)
	if err != nil || removed {
		return reconcile.Result{}, err
	}
	wanted := resources.DaemonSet(r.Settings, r.Agent)
	if owner != nil {
		wanted.WithOwnerReferences(owner)
	}
	_, err = apply.DaemonSet(ctx, r.Client, wanted)
	return reconcile.Result{}, err
}

func (r *AgentReconciler) key() client.ObjectKey {
	return client.ObjectKey{Namespace: r.Settings.Namespace, Name: configv1alpha1.NodeAgentName}
}
