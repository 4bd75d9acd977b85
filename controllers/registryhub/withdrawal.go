package registryhub

import (
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/nodes"
	"github.com/registryhub/registryhub/controllers/resources"
)

// withdrawalPeriod is how often a deletion looks again when no event comes.
const withdrawalPeriod = 5 * time.Second

// withdraw takes a deleted hub from the nodes first, and only then what the nodes used away.
func (r *Reconciler) withdraw(ctx context.Context, s *scope) error {
	if !controllerutil.ContainsFinalizer(s.hub, v1alpha1.Finalizer) {
		s.gone = true
		return nil
	}
	var err error
	if s.awaited, err = r.awaitedForWithdrawal(ctx, s); err != nil {
		return err
	}
	patience := r.WithdrawTimeout - r.deletions.lasts(s.hub, s.now)
	forced := s.hub.Annotations[v1alpha1.AnnotationForceDelete] == "true"
	if len(s.awaited) > 0 && patience > 0 && !forced {
		s.requeueIn(min(withdrawalPeriod, patience))
		return nil
	}
	if len(s.awaited) > 0 {
		givenUp(s.awaited).record(r.Events, s.hub)
	}
	return r.remove(ctx, s)
}

// awaitedForWithdrawal says what still leads to the hub. It reads the NodeConfiguration past the cache, which may
// not know yet that the hub was written to it.
func (r *Reconciler) awaitedForWithdrawal(ctx context.Context, s *scope) ([]string, error) {
	_, configuration, err := nodes.ReadConfiguration(ctx, r.Live, r.Settings.Namespace)
	switch {
	case err != nil:
		return nil, err
	case configuration == nil || nodes.FindEntry(configuration, s.hub) != nil:
		return []string{"the node configuration"}, nil
	case s.hub.Status.Nodes == nil:
		return nil, nil // no node was ever told of it
	}
	// As of now, and not of the last overview: a node that has just come must not be missed.
	snapshot, err := nodes.Observe(ctx, r.Client, r.Settings.Namespace)
	if err != nil {
		return nil, err
	}
	var awaited []string
	for _, name := range nodes.Behind(snapshot, configuration.Revision) {
		awaited = append(awaited, "node "+name)
	}
	return awaited, nil
}

// remove deletes the children and lets the hub go.
func (r *Reconciler) remove(ctx context.Context, s *scope) error {
	keepVolume := keepsVolume(s.hub)
	if err := r.deleteChildren(ctx, s.hub.Name, keepVolume); err != nil {
		return err
	}
	before := s.hub.DeepCopy()
	controllerutil.RemoveFinalizer(s.hub, v1alpha1.Finalizer)
	err := r.Client.Patch(ctx, s.hub, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("removing the finalizer: %w", err)
	}
	s.gone = true
	log.FromContext(ctx).Info("removed the hub", "volumeKept", keepVolume)
	return nil
}

// keepsVolume says whether a hub's claim outlives it. One beside a hub that has its cache elsewhere is that of an earlier
// hub, which was to be kept.
func keepsVolume(hub *v1alpha1.RegistryHub) bool {
	return hub.Spec.VolumeRetention() != v1alpha1.VolumeDelete
}

// deleteOrphans deletes the children of a hub whose finalizer somebody took away by hand. Its volume stays: nobody
// is left to say whether it may go.
func (r *Reconciler) deleteOrphans(ctx context.Context, hub string) error {
	return r.deleteChildren(ctx, hub, true)
}

func (r *Reconciler) deleteChildren(ctx context.Context, hub string, keepVolume bool) error {
	children := []client.Object{&appsv1.Deployment{}, &policyv1.PodDisruptionBudget{}, &corev1.Service{}, &corev1.ConfigMap{}}
	if !keepVolume {
		children = append(children, &corev1.PersistentVolumeClaim{})
	}
	for _, child := range children {
		if err := r.deleteChild(ctx, hub, child); err != nil {
			return err
		}
	}
	return nil
}

// deleteChild deletes what the label says is the hub's. It reads past the cache, which may not know yet what was
// made a moment ago. Pods go with their Deployment, in the background.
func (r *Reconciler) deleteChild(ctx context.Context, hub string, child client.Object) error {
	named := &v1alpha1.RegistryHub{ObjectMeta: metav1.ObjectMeta{Name: hub}}
	key := client.ObjectKey{Namespace: r.Settings.Namespace, Name: resources.ChildName(named)}
	if err := r.Live.Get(ctx, key, child); err != nil {
		return client.IgnoreNotFound(err)
	}
	if child.GetLabels()[v1alpha1.LabelHub] != hub || !child.GetDeletionTimestamp().IsZero() {
		return nil
	}
	uid := child.GetUID()
	err := r.Client.Delete(ctx, child, client.PropagationPolicy(metav1.DeletePropagationBackground), client.Preconditions{UID: &uid})
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("deleting %T %s: %w", child, key.Name, err)
	}
	return nil
}
