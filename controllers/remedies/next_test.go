package remedies

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var now = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// ails is a node that is Ready and ails for a cause.
func ails(name, cause string) Node {
	return Node{Name: name, Ready: true, Cause: &Cause{Hash: cause}}
}

func unready(n Node) Node {
	n.Ready = false
	return n
}

// ended is a Job that ended a minute ago.
func ended(node, cause string, outcome configv1alpha1.RemedyOutcome) Job {
	return Job{
		Name: "remedy-" + node, Node: node, Cause: cause, Finished: now.Add(-time.Minute),
		Failed: outcome == configv1alpha1.RemedyFailed, Report: configv1alpha1.RemedyReport{Outcome: outcome},
	}
}

func running(node, cause string) Job {
	return Job{Name: "remedy-" + node, Node: node, Cause: cause}
}

func longAgo(j Job) Job {
	j.Finished = now.Add(-settleWithin)
	return j
}

func TestNext(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		nodes []Node
		jobs  []Job
		// forget, start and stopped are names.
		forget         []string
		start, stopped string
		wait           time.Duration
	}{
		"nothing to do":                      {},
		"the first by name":                  {nodes: []Node{ails("b", "1"), ails("a", "1"), ails("c", "1")}, start: "a"},
		"the first that can run a Job":       {nodes: []Node{unready(ails("a", "1")), ails("b", "1")}, start: "b"},
		"none while one is mended":           {nodes: []Node{ails("a", "1"), ails("b", "1")}, jobs: []Job{running("a", "1")}},
		"none while one of no node is":       {nodes: []Node{ails("b", "1")}, jobs: []Job{running("gone", "1")}},
		"none while its cause has changed":   {nodes: []Node{ails("a", "2"), ails("b", "1")}, jobs: []Job{running("a", "1")}},
		"none before the last one is cured":  {nodes: []Node{ails("a", "1"), ails("b", "1")}, jobs: []Job{ended("a", "1", "Mended")}, wait: settleWithin - time.Minute},
		"one that said nothing is waited on": {nodes: []Node{ails("a", "1"), ails("b", "1")}, jobs: []Job{ended("a", "1", "")}, wait: settleWithin - time.Minute},
		"a cured one is forgotten first":     {nodes: []Node{ails("b", "1")}, jobs: []Job{ended("a", "1", "Mended")}, forget: []string{"remedy-a"}},
		"then comes the next":                {nodes: []Node{ails("b", "1")}, start: "b"},
		"not the same again":                 {nodes: []Node{ails("a", "1")}, jobs: []Job{ended("a", "1", "Declined")}},
		"what was declined stops nobody":     {nodes: []Node{ails("a", "1"), ails("b", "1")}, jobs: []Job{ended("a", "1", "Declined")}, start: "b"},
		"nor does what waits for a person":   {nodes: []Node{ails("a", "1"), ails("b", "1")}, jobs: []Job{ended("a", "1", "RestartPending")}, start: "b"},
		"what failed stops all":              {nodes: []Node{ails("a", "1"), ails("b", "1")}, jobs: []Job{longAgo(ended("a", "1", "Failed"))}, stopped: "remedy-a"},
		"and what did not help":              {nodes: []Node{ails("a", "1"), ails("b", "1")}, jobs: []Job{longAgo(ended("a", "1", "Mended"))}, stopped: "remedy-a"},
		"until its cause is another":         {nodes: []Node{ails("a", "2"), ails("b", "1")}, jobs: []Job{ended("a", "1", "Failed")}, forget: []string{"remedy-a"}},
		"or its Job is deleted":              {nodes: []Node{ails("a", "1"), ails("b", "1")}, start: "a"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			step := Next(tc.nodes, tc.jobs, now)
			var forget []string
			for _, job := range step.Forget {
				forget = append(forget, job.Name)
			}
			start, stopped := "", ""
			if step.Start != nil {
				start = step.Start.Name
			}
			if step.Stopped != nil {
				stopped = step.Stopped.Name
			}
			if diff := cmp.Diff(tc.forget, forget); diff != "" {
				t.Errorf("forget (-want +got):\n%s", diff)
			}
			if start != tc.start || stopped != tc.stopped || step.Wait != tc.wait {
				t.Errorf("start %q, stopped %q, wait %s; want %q, %q, %s", start, stopped, step.Wait, tc.start, tc.stopped, tc.wait)
			}
		})
	}
}

func TestCauseOf(t *testing.T) {
	t.Parallel()
	const dropIn, restart = configv1alpha1.RemedyModeDropIn, configv1alpha1.RemedyModeDropInAndRestart
	reported := func(reasons ...string) v1alpha1.NodeMirrorStatus {
		status := v1alpha1.NodeMirrorStatus{}
		for _, reason := range reasons {
			status.Exceptions = append(status.Exceptions, v1alpha1.NodeException{Reason: reason, Message: "m"})
		}
		return status
	}
	for name, tc := range map[string]struct {
		status v1alpha1.NodeMirrorStatus
		mode   configv1alpha1.RemedyMode
		want   string
	}{
		"none":                         {reported(), restart, ""},
		"no path":                      {reported("HubUnreachable", "ConfigPathUnset"), dropIn, "ConfigPathUnset"},
		"a list":                       {reported("TransferServiceMultiRoot"), dropIn, "TransferServiceMultiRoot"},
		"mirrors, which want a person": {reported("LegacyMirrorsPresent"), restart, ""},
		"a restart that is wanted":     {reported("RestartPending"), restart, "RestartPending"},
		"a restart that is not":        {reported("RestartPending"), dropIn, ""},
	} {
		got := CauseOf(tc.status, tc.mode)
		if (got == nil) != (tc.want == "") || got != nil && got.Reason != tc.want {
			t.Errorf("%s: got %+v, want %q", name, got, tc.want)
		}
	}
	one, two := hashOf(reported("ConfigPathUnset"), dropIn), hashOf(reported("ConfigPathUnset"), restart)
	if one == "" || one == two || one == hashOf(reported("TransferServiceMultiRoot"), dropIn) {
		t.Errorf("causes are not told apart: %q, %q", one, two)
	}
}
