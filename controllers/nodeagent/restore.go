package nodeagent

import (
	"context"
	"fmt"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
)

// restoreWhenUninstalled takes the node back to how it was without us when the agent is uninstalled.
// When that cannot be found out the files stay: they cost a pull little, and an upgrade must not cost it the cache.
func restoreWhenUninstalled(ctx context.Context, reader client.Reader, namespace string, keeper *keeper, log logr.Logger) error {
	uninstalled, err := isUninstalled(ctx, reader, namespace)
	if err != nil {
		log.Info("Keeping the node's hosts: it cannot be told whether the agent is being uninstalled", "error", err.Error())
		return nil
	}
	if !uninstalled {
		log.V(1).Info("Keeping the node's hosts: the agent is only stopped")
		return nil
	}
	if err := keeper.restore(); err != nil {
		return fmt.Errorf("restoring the node: remove the links that are left in the certs directory by hand: %w", err)
	}
	log.Info("Restored the node: the agent is being uninstalled")
	return nil
}

// isUninstalled: the DaemonSet is gone or going, or its namespace is. A namespace that is deleted takes its Pods before
// anything else from Kubernetes 1.33 on (KEP-5080), so that an agent that it ends still sees a healthy DaemonSet. `kubectl
// delete -k` takes the agent's rights and its account away before it: who may not look at their own DaemonSet any more
// are uninstalled too.
func isUninstalled(ctx context.Context, reader client.Reader, namespace string) (bool, error) {
	daemonSet := client.ObjectKey{Namespace: namespace, Name: configv1alpha1.NodeAgentName}
	going, err := isGoing(ctx, reader, appsv1.SchemeGroupVersion.WithKind("DaemonSet"), daemonSet)
	switch {
	case apierrors.IsForbidden(err), apierrors.IsUnauthorized(err):
		return true, nil
	case going, err != nil:
		return going, err
	}
	return isGoing(ctx, reader, corev1.SchemeGroupVersion.WithKind("Namespace"), client.ObjectKey{Name: namespace})
}

func isGoing(ctx context.Context, reader client.Reader, kind schema.GroupVersionKind, key client.ObjectKey) (bool, error) {
	object := &metav1.PartialObjectMetadata{}
	object.SetGroupVersionKind(kind)
	err := reader.Get(ctx, key, object)
	if apierrors.IsNotFound(err) {
		return true, nil
	}
	return err == nil && !object.DeletionTimestamp.IsZero(), err
}
