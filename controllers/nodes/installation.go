package nodes

import (
	"context"
	"fmt"
	"sync/atomic"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
)

// Installation is the manager's own Deployment, which owns what is made for all nodes: so that deleting the
// operator's manifests takes the agents away too, and each agent, seeing that, restores its node.
type Installation struct {
	reader    client.Reader
	namespace string
	// seen is set once the Deployment was there: its absence after that means that the operator is being removed,
	// while without it the manager runs outside the cluster.
	seen atomic.Bool
}

// NewInstallation looks for the manager's Deployment in a namespace.
func NewInstallation(reader client.Reader, namespace string) *Installation {
	return &Installation{reader: reader, namespace: namespace}
}

// Owner is a reference to the manager's Deployment, nil where there is none; removed is true when the operator is
// being removed, so that nothing must be made any more that would outlive it.
func (i *Installation) Owner(ctx context.Context) (owner *metav1ac.OwnerReferenceApplyConfiguration, removed bool, err error) {
	deployment := &appsv1.Deployment{}
	err = i.reader.Get(ctx, client.ObjectKey{Namespace: i.namespace, Name: configv1alpha1.ManagerName}, deployment)
	if apierrors.IsNotFound(err) {
		return nil, i.seen.Load(), nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("reading the manager's Deployment: %w", err)
	}
	i.seen.Store(true)
	if !deployment.DeletionTimestamp.IsZero() {
		return nil, true, nil
	}
	return metav1ac.OwnerReference().
		WithAPIVersion("apps/v1").WithKind("Deployment").
		WithName(deployment.Name).WithUID(deployment.UID), false, nil
}
