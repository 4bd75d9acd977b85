package remedies

import (
	"cmp"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
)

// settleWithin is how long a mended node has until its agent tells of the cure. An agent that has seen containerd restart
// tries again within seconds; at the latest it does after ten minutes (controllers/nodeagent/proof).
const settleWithin = 15 * time.Minute

// Node is a node as far as remedies are concerned.
type Node struct {
	Name string
	UID  types.UID
	// Ready nodes alone can run a Job.
	Ready bool
	// Cause is what can be mended; nil: nothing.
	Cause *Cause
}

// Job is a Job that mends a node, or did.
type Job struct {
	Name string
	UID  types.UID
	// Node that it mends.
	Node    string
	NodeUID types.UID
	// Cause is the hash of what it mends.
	Cause string
	// Finished is when it ended; zero while it runs. Failed says how.
	Finished time.Time
	Failed   bool
	// Report is what it said at its end. One that said nothing has no outcome.
	Report configv1alpha1.RemedyReport
}

func (j Job) running() bool { return j.Finished.IsZero() }

// declined says whether nothing more is to be expected of it than what a person does: nothing was restarted.
func (j Job) declined() bool {
	return j.Report.Outcome == configv1alpha1.RemedyDeclined || j.Report.Outcome == configv1alpha1.RemedyRestartPending
}

// Step is what is to be done now.
type Step struct {
	// Forget are Jobs that nothing is left of to remember: the node is cured, or ails for another cause.
	Forget []Job
	// Start is the node that is mended next.
	Start *Node
	// Wait is when to look again whether a mended node is cured.
	Wait time.Duration
	// Stopped is the Job for which no other node is mended, until its cause is gone or a person deletes it.
	Stopped *Job
}

// Next decides. A node is mended when no other is, and when each that was mended before is cured. A Job stays for as long as its
// cause does, so that no node is mended twice for the same.
func Next(nodes []Node, jobs []Job, now time.Time) Step {
	ailing := byName(nodes)
	step := Step{}
	var kept []Job
	for _, job := range jobs {
		node, ails := ailing[job.Node]
		if !job.running() && (!ails || node.Cause.Hash != job.Cause) {
			step.Forget = append(step.Forget, job)
			continue
		}
		kept = append(kept, job)
		delete(ailing, job.Node)
	}
	if slices.ContainsFunc(kept, Job.running) {
		return step
	}
	for _, job := range kept {
		step.heed(job, now)
	}
	if step.Stopped == nil && step.Wait == 0 && len(step.Forget) == 0 {
		step.Start = first(ailing)
	}
	return step
}

// byName are the nodes on which there is something to mend.
func byName(nodes []Node) map[string]Node {
	ailing := map[string]Node{}
	for _, node := range nodes {
		if node.Cause != nil {
			ailing[node.Name] = node
		}
	}
	return ailing
}

// heed has a step wait for what a Job that has ended may still bring about, or stop for what it did not.
func (s *Step) heed(job Job, now time.Time) {
	remains := job.Finished.Add(settleWithin).Sub(now)
	switch {
	case job.declined() && !job.Failed:
	case job.Failed || remains <= 0:
		s.Stopped = &job
	default:
		s.Wait = max(s.Wait, remains)
	}
}

// first of the nodes that can be mended, by name.
func first(ailing map[string]Node) *Node {
	var found *Node
	for _, node := range ailing {
		if node.Ready && (found == nil || cmp.Less(node.Name, found.Name)) {
			found = &node
		}
	}
	return found
}
