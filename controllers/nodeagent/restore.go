package nodeagent

import (
	"context"
	"fmt"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
)

// restoreWhenUninstalled takes the node back to how it was without us when the agent's DaemonSet is gone or going.
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

func isUninstalled(ctx context.Context, reader client.Reader, namespace string) (bool, error) {
	daemonSet := &metav1.PartialObjectMetadata{}
	daemonSet.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("DaemonSet"))
	key := client.ObjectKey{Namespace: namespace, Name: configv1alpha1.NodeAgentName}
	err := reader.Get(ctx, key, daemonSet)
	if apierrors.IsNotFound(err) {
		return true, nil
	}
	return err == nil && !daemonSet.DeletionTimestamp.IsZero(), err
}
