package remedies

import (
	"cmp"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
)

// tell tells of each Job's end once, and of one that did not help.
func (r *Reconciler) tell(jobs []Job, stopped *Job) {
	for _, job := range jobs {
		if !job.running() {
			r.tellOnce(job, job.ended())
		}
	}
	if stopped != nil && !stopped.Failed {
		r.tellOnce(*stopped, ending{v1alpha1.ReasonRemedyFailed, "the node was mended, and still does not pull through its hubs. " + resume(*stopped)})
	}
}

// ending is what is told of a Job.
type ending struct{ reason, message string }

func (j Job) ended() ending {
	said := j.Report.Message
	switch {
	case j.Failed:
		return ending{v1alpha1.ReasonRemedyFailed, cmp.Or(said, "it said nothing") + ". " + resume(j)}
	case j.Report.Outcome == configv1alpha1.RemedyDeclined:
		return ending{v1alpha1.ReasonRemedyDeclined, said}
	}
	return ending{v1alpha1.ReasonRemedyEnded, cmp.Or(said, "it said nothing")}
}

func resume(j Job) string {
	return "No other node is mended until Job " + j.Name + " is deleted, which has this one tried again, or the node is put right by hand"
}

func (r *Reconciler) tellOnce(job Job, e ending) {
	once := telling{job.UID, e.reason}
	if r.told[once] {
		return
	}
	r.told[once] = true
	kind := corev1.EventTypeWarning
	if e.reason == v1alpha1.ReasonRemedyEnded {
		kind = corev1.EventTypeNormal
	}
	r.Events.Eventf(nodeRef(job.Node, job.NodeUID), nil, kind, e.reason, "Mend", "%s", bounded(e.message))
}

// bounded is a message that fits into an event's note.
func bounded(message string) string {
	const most = 1000 // of 1024
	if len(message) > most {
		return message[:most] + "..."
	}
	return message
}

func nodeRef(name string, uid types.UID) *corev1.Node {
	return &corev1.Node{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Node"}, ObjectMeta: metav1.ObjectMeta{Name: name, UID: uid}}
}
