// Package nodes joins hubs and nodes: which node should pull through which hub, what every agent is told
// (NodeConfiguration), and what the agents reported (NodeMirror), counted for a hub's status.
package nodes

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
)

// Node is what one Linux node and the agent on it say of themselves.
type Node struct {
	Name   string
	Labels labels.Set
	// Ready, and since when that is so or not so.
	Ready      bool
	ReadySince time.Time
	// AgentSince is when the agent's Pod was made; zero when there is none.
	AgentSince time.Time
	// Revision, ProvenRevision and Exceptions are what the agent reported last.
	Revision       int64
	ProvenRevision *int64
	Exceptions     []v1alpha1.NodeException
}

// HasAgent says whether an agent's Pod is on the node.
func (n Node) HasAgent() bool { return !n.AgentSince.IsZero() }

// heard says whether the node has made up its mind about a hub's entry: its wiring is in force, and the runtime was seen to
// pull through it, or it is known why not.
func (n Node) heard(entry configv1alpha1.NodeHub) bool {
	if entry.Revision <= 0 || n.Revision < entry.Revision {
		return false
	}
	return n.ProvenRevision == nil || *n.ProvenRevision >= entry.Revision || exceptionOf(n, entry.Name) != nil
}

// take makes what a NodeMirror says the node's own.
func (n *Node) take(reported v1alpha1.NodeMirrorStatus) {
	n.Revision, n.ProvenRevision, n.Exceptions = reported.Revision, reported.ProvenRevision, reported.Exceptions
}

// settledAt is when the node has had its grace: from then on it counts whatever it does. A node without an agent
// is waited for as long after the agents' DaemonSet was made. Zero: there is no DaemonSet yet, so no end to it.
func (n Node) settledAt(agentsSince time.Time, grace time.Duration) time.Time {
	agent := n.AgentSince
	if !n.HasAgent() {
		agent = agentsSince
	}
	if agent.IsZero() {
		return time.Time{}
	}
	if n.ReadySince.After(agent) {
		agent = n.ReadySince
	}
	return agent.Add(grace)
}

// Snapshot is every Linux node at one moment, sorted by name.
type Snapshot struct {
	Nodes []Node
	// AgentsSince is when the agents' DaemonSet was made; zero when there is none.
	AgentsSince time.Time
}

func newNode(node *corev1.Node) Node {
	n := Node{Name: node.Name, Labels: node.Labels}
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			n.Ready = condition.Status == corev1.ConditionTrue
			n.ReadySince = condition.LastTransitionTime.Time
		}
	}
	return n
}

func isLinux(node *corev1.Node) bool { return node.Labels[corev1.LabelOSStable] == "linux" }
