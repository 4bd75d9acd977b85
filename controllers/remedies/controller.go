package remedies

import (
	"context"
	"fmt"
	"maps"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/nodes"
	"github.com/registryhub/registryhub/controllers/resources"
)

// Reconciler has ailing nodes mended, one at a time.
type Reconciler struct {
	// Client reads from the cache, and writes.
	Client client.Client
	// Live reads past the cache.
	Live   client.Reader
	Events events.EventRecorder
	Now    func() time.Time
	// Settings of what is made.
	Settings resources.Settings
	// Mode is DropIn or DropInAndRestart.
	Mode configv1alpha1.RemedyMode
	// CertsDirectory is what nodes' containerds have to read.
	CertsDirectory string

	// told are the Jobs whose end, or whose failure to help, was told of.
	told map[telling]bool
}

// telling is one thing that is told of a Job once.
type telling struct {
	job    types.UID
	reason string
}

// SetupWithManager watches reports for what can be mended, Jobs of remedies, and Nodes.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	r.told = map[telling]bool{}
	ours := predicate.NewPredicateFuncs(func(o client.Object) bool {
		labels := o.GetLabels()
		for key, value := range resources.RemedyPodLabels() {
			if labels[key] != value {
				return false
			}
		}
		return true
	})
	all := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: types.NamespacedName{Name: "remedies"}}}
	})
	return builder.ControllerManagedBy(mgr).
		Named("remedies").
		Watches(&v1alpha1.NodeMirror{}, all, builder.WithPredicates(r.changedCause())).
		Watches(&batchv1.Job{}, all, builder.WithPredicates(ours)).
		Watches(&corev1.Node{}, all, builder.WithPredicates(nodes.Relevant())).
		Complete(r)
}

// changedCause lets those reports through that change what can be mended.
func (r *Reconciler) changedCause() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, isMirror := e.ObjectOld.(*v1alpha1.NodeMirror)
		after, isMirrorToo := e.ObjectNew.(*v1alpha1.NodeMirror)
		return !isMirror || !isMirrorToo || hashOf(before.Status, r.Mode) != hashOf(after.Status, r.Mode)
	}}
}

// Reconcile takes the next step over all nodes.
func (r *Reconciler) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	ailing, err := r.ailing(ctx)
	if err != nil {
		return reconcile.Result{}, err
	}
	jobs, err := r.jobs(ctx)
	if err != nil {
		return reconcile.Result{}, err
	}
	step := Next(ailing, jobs, r.Now())
	r.tell(jobs, step.Stopped)
	for _, job := range step.Forget {
		if err := r.forget(ctx, job); err != nil {
			return reconcile.Result{}, err
		}
	}
	if step.Start != nil {
		return reconcile.Result{}, r.start(ctx, *step.Start)
	}
	return reconcile.Result{RequeueAfter: step.Wait}, nil
}

func (r *Reconciler) start(ctx context.Context, node Node) error {
	job := resources.RemedyJob(r.Settings, resources.Remedy{
		Node: node.Name, NodeUID: node.UID, Cause: node.Cause.Hash, CertsDirectory: r.CertsDirectory,
		Restart: r.Mode == configv1alpha1.RemedyModeDropInAndRestart,
	})
	if err := r.Client.Create(ctx, job); err != nil {
		return needsRights(fmt.Errorf("making the Job that mends node %s: %w", node.Name, err))
	}
	log.FromContext(ctx).Info("mending the node", "node", node.Name, "reason", node.Cause.Reason, "job", job.Name)
	r.Events.Eventf(nodeRef(node.Name, node.UID), nil, corev1.EventTypeNormal, v1alpha1.ReasonRemedyStarted, "Mend",
		"Job %s mends the configuration of the node's containerd (%s)", job.Name, node.Cause.Reason)
	return nil
}

// forget deletes a Job with its Pod. The deletion is an event upon which the next step is taken.
func (r *Reconciler) forget(ctx context.Context, job Job) error {
	object := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: r.Settings.Namespace, Name: job.Name}}
	err := r.Client.Delete(ctx, object, client.Preconditions{UID: &job.UID}, client.PropagationPolicy(metav1.DeletePropagationBackground))
	if client.IgnoreNotFound(err) != nil {
		return needsRights(fmt.Errorf("deleting Job %s, whose node is cured: %w", job.Name, err))
	}
	maps.DeleteFunc(r.told, func(t telling, _ bool) bool { return t.job == job.UID })
	return nil
}

func needsRights(err error) error {
	if apierrors.IsForbidden(err) {
		return fmt.Errorf("mending nodes: apply config/remedies, which holds the rights: %w", err)
	}
	return err
}
