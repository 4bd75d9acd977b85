package remedies

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/resources"
)

// ailing are the nodes that report what can be mended.
func (r *Reconciler) ailing(ctx context.Context) ([]Node, error) {
	mirrors := &v1alpha1.NodeMirrorList{}
	if err := r.Client.List(ctx, mirrors); err != nil {
		return nil, fmt.Errorf("listing NodeMirrors: %w", err)
	}
	var nodes []Node
	for i := range mirrors.Items {
		mirror := &mirrors.Items[i]
		cause := CauseOf(mirror.Status, r.Mode)
		if cause == nil {
			continue
		}
		node := &corev1.Node{}
		if err := r.Client.Get(ctx, client.ObjectKey{Name: mirror.Name}, node); client.IgnoreNotFound(err) != nil {
			return nil, fmt.Errorf("reading Node %s: %w", mirror.Name, err)
		}
		if isOf(mirror, node) {
			nodes = append(nodes, Node{Name: node.Name, UID: node.UID, Ready: isReady(node), Cause: cause})
		}
	}
	return nodes, nil
}

// isOf says whether a report is this Node's, and not that of an earlier one of the same name.
func isOf(mirror *v1alpha1.NodeMirror, node *corev1.Node) bool {
	return node.UID != "" && node.DeletionTimestamp.IsZero() &&
		slices.ContainsFunc(mirror.OwnerReferences, func(o metav1.OwnerReference) bool { return o.UID == node.UID })
}

func isReady(node *corev1.Node) bool {
	return slices.ContainsFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
}

// jobs are all there are, past the cache: one that was just made must not be missed.
func (r *Reconciler) jobs(ctx context.Context) ([]Job, error) {
	list := &batchv1.JobList{}
	if err := r.Live.List(ctx, list, client.InNamespace(r.Settings.Namespace), client.MatchingLabels(resources.RemedyPodLabels())); err != nil {
		return nil, needsRights(fmt.Errorf("listing the Jobs of remedies: %w", err))
	}
	var jobs []Job
	for i := range list.Items {
		if !list.Items[i].DeletionTimestamp.IsZero() {
			continue
		}
		job := newJob(&list.Items[i])
		if !job.running() {
			report, err := r.report(ctx, job.Name)
			if err != nil {
				return nil, err
			}
			job.Report.Outcome, job.Report.Message = report.Outcome, cmp.Or(report.Message, job.Report.Message)
		}
		jobs = append(jobs, job)
	}
	return jobs, nil
}

func newJob(job *batchv1.Job) Job {
	j := Job{Name: job.Name, UID: job.UID, Node: job.Spec.Template.Spec.NodeName, Cause: job.Annotations[v1alpha1.AnnotationRemedyCause]}
	for _, owner := range job.OwnerReferences {
		j.NodeUID = owner.UID
	}
	for _, condition := range job.Status.Conditions {
		ended := condition.Type == batchv1.JobComplete || condition.Type == batchv1.JobFailed
		if ended && condition.Status == corev1.ConditionTrue {
			j.Finished, j.Failed = condition.LastTransitionTime.Time, condition.Type == batchv1.JobFailed
			if j.Failed {
				j.Report.Message = condition.Message
			}
		}
	}
	return j
}

// report is what the Job's Pod said last. A Pod that is gone, or was killed, said nothing.
func (r *Reconciler) report(ctx context.Context, job string) (configv1alpha1.RemedyReport, error) {
	pods := &corev1.PodList{}
	err := r.Live.List(ctx, pods, client.InNamespace(r.Settings.Namespace), client.MatchingLabels{batchv1.JobNameLabel: job})
	if err != nil {
		return configv1alpha1.RemedyReport{}, fmt.Errorf("listing the Pods of Job %s: %w", job, err)
	}
	for i := range pods.Items {
		for _, container := range pods.Items[i].Status.ContainerStatuses {
			if ended := container.State.Terminated; ended != nil {
				if report, err := configv1alpha1.DecodeRemedyReport([]byte(ended.Message)); err == nil {
					return report, nil
				}
			}
		}
	}
	return configv1alpha1.RemedyReport{}, nil
}
