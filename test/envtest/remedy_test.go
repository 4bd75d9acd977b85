package envtest

import (
	"testing"

	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
)

var multiRoot = v1alpha1.NodeException{Hub: "mended", Host: "mended.example", Reason: v1alpha1.NodeReasonTransferServiceMultiRoot, Message: "a list"}

func TestNodesAreMendedOneAtATime(t *testing.T) {
	w := begin(t)
	w.Expect(applyManifests(t.Context(), "remedies/role.yaml")).To(Succeed())
	w.twoNodes()
	w.report("n1", multiRoot)
	w.report("n2", multiRoot)
	w.Consistently(w.remedies).Should(BeEmpty(), "nobody asked for remedies")
	restart(t, "remedy: DropInAndRestart")
	t.Cleanup(func() {
		restart(t)
		w.forgetRemedies()
	})

	w.Eventually(w.remedies).Should(Equal([]string{"n1"}))
	w.Eventually(func() []string { return w.eventsOf("n1") }).Should(ContainElement(v1alpha1.ReasonRemedyStarted))
	w.Consistently(w.remedies).Should(Equal([]string{"n1"}), "the second waits")
	w.endRemedy("n1", configv1alpha1.RemedyMended)
	w.Consistently(w.remedies).Should(Equal([]string{"n1"}), "until the first is cured")
	w.report("n1")
	w.Eventually(w.remedies).Should(Equal([]string{"n2"}), "the cured one's Job goes")
	w.Eventually(func() []string { return w.eventsOf("n1") }).Should(ContainElement(v1alpha1.ReasonRemedyEnded))

	w.endRemedy("n2", configv1alpha1.RemedyFailed)
	w.Eventually(func() []string { return w.eventsOf("n2") }).Should(ContainElement(v1alpha1.ReasonRemedyFailed))
	w.report("n1", multiRoot)
	w.Consistently(w.remedies).Should(Equal([]string{"n2"}), "a failure stops it, and is not repeated")
	restart(t, "remedy: DropInAndRestart")
	w.Consistently(w.remedies).Should(Equal([]string{"n2"}), "neither by another manager")
	w.forgetRemedies()
	w.Eventually(w.remedies).Should(Equal([]string{"n1"}), "a person has it go on")
	w.endRemedy("n1", configv1alpha1.RemedyDeclined)
	w.Eventually(w.remedies).Should(Equal([]string{"n1", "n2"}), "what is declined stops nobody")
	w.Expect(w.eventsOf("n1")).To(ContainElement(v1alpha1.ReasonRemedyDeclined))
}

// remedies are the nodes that have a Job.
func (w *world) remedies() []string {
	list := &batchv1.JobList{}
	w.Expect(k8s.List(ctxOf(), list, client.InNamespace(namespace))).To(Succeed())
	var nodes []string
	for _, job := range list.Items {
		if job.DeletionTimestamp.IsZero() {
			nodes = append(nodes, job.Spec.Template.Spec.NodeName)
		}
	}
	return nodes
}

// forgetRemedies deletes all Jobs, as a person may.
func (w *world) forgetRemedies() {
	w.Expect(k8s.DeleteAllOf(ctxOf(), &batchv1.Job{}, client.InNamespace(namespace), client.PropagationPolicy(metav1.DeletePropagationBackground))).To(Succeed())
	pods := client.MatchingLabels{"app.kubernetes.io/component": "remedy"}
	w.Expect(k8s.DeleteAllOf(ctxOf(), &corev1.Pod{}, client.InNamespace(namespace), pods, client.GracePeriodSeconds(0))).To(Succeed())
}

// endRemedy plays the Job's controller and the kubelet: the node's Pod has ended and said so.
func (w *world) endRemedy(node string, outcome configv1alpha1.RemedyOutcome) {
	w.t.Helper()
	job := w.remedyOf(node)
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: job.Name + "-pod", Labels: job.Spec.Template.Labels}, Spec: job.Spec.Template.Spec}
	pod.Labels[batchv1.JobNameLabel] = job.Name
	pod.Spec.PriorityClassName = "" // which this API server has, and no admission of
	w.Expect(k8s.Create(ctxOf(), pod)).To(Succeed())
	report := configv1alpha1.RemedyReport{Outcome: outcome, Message: "said so"}
	pod.Status.Phase = corev1.PodSucceeded
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "remedy", State: corev1.ContainerState{
		Terminated: &corev1.ContainerStateTerminated{Message: string(report.Encode())},
	}}}
	w.Expect(k8s.Status().Update(ctxOf(), pod)).To(Succeed())
	kinds := []batchv1.JobConditionType{batchv1.JobSuccessCriteriaMet, batchv1.JobComplete}
	if outcome == configv1alpha1.RemedyFailed {
		kinds = []batchv1.JobConditionType{batchv1.JobFailureTarget, batchv1.JobFailed}
	} else {
		job.Status.CompletionTime, job.Status.Succeeded = new(metav1.Now()), 1
	}
	job.Status.StartTime = new(metav1.Now())
	for _, kind := range kinds {
		job.Status.Conditions = append(job.Status.Conditions, batchv1.JobCondition{Type: kind, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now()})
	}
	w.Expect(k8s.Status().Update(ctxOf(), job)).To(Succeed())
}

func (w *world) remedyOf(node string) *batchv1.Job {
	w.t.Helper()
	list := &batchv1.JobList{}
	w.Expect(k8s.List(ctxOf(), list, client.InNamespace(namespace))).To(Succeed())
	for i := range list.Items {
		if list.Items[i].Spec.Template.Spec.NodeName == node {
			return &list.Items[i]
		}
	}
	w.t.Fatalf("node %s has no Job", node)
	return nil
}
