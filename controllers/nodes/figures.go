package nodes

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
)

// MaxFailing is how many failing nodes a status names.
const MaxFailing = 10

// Figures are the nodes of one hub, counted.
type Figures struct {
	// Desired nodes should pull through the hub: Ready, selected, with an agent, and past their grace, or heard of
	// what they made of the present wiring.
	Desired int
	// Wired nodes are desired and have the hub's present wiring in force, proven where canaries are not turned off.
	Wired int
	// Unproven nodes are wired, and prove nothing.
	Unproven int
	// Failing are desired nodes that reported an exception, sorted by name; not more than MaxFailing.
	Failing []v1alpha1.FailingNode
	// FailingTotal is how many there are.
	FailingTotal int
	// Starting nodes are Ready and selected, and within their grace: they or their agents have just come.
	Starting int
	// Bare nodes are Ready and selected, past their grace, and no agent runs on them.
	Bare int
	// Settles is when the next starting node's grace ends; zero when that is not known or none is starting.
	Settles time.Time
}

// Count counts the nodes of a hub. entry is what the nodes are told of it.
func Count(snapshot Snapshot, entry configv1alpha1.NodeHub, now time.Time, grace time.Duration) Figures {
	var figures Figures
	selector, err := metav1.LabelSelectorAsSelector(defaultSelector(entry.Selector))
	if err != nil {
		return figures // such an entry is never written: a hub's spec is checked before
	}
	for _, node := range snapshot.Nodes {
		if node.Ready && selector.Matches(node.Labels) {
			figures.add(node, entry, node.settledAt(snapshot.AgentsSince, grace), now)
		}
	}
	return figures
}

func (f *Figures) add(node Node, entry configv1alpha1.NodeHub, settles, now time.Time) {
	exception := exceptionOf(node, entry.Name)
	heard := node.HasAgent() && node.heard(entry)
	wired := heard && exception == nil
	switch starting := settles.IsZero() || now.Before(settles); {
	case starting && !heard:
		f.Starting++
		f.settle(settles)
		return
	case !node.HasAgent():
		f.Bare++
		return
	}
	f.Desired++
	switch {
	case wired:
		f.Wired++
		if node.ProvenRevision == nil {
			f.Unproven++
		}
	case exception != nil:
		f.fail(node.Name, *exception)
	}
}

func (f *Figures) settle(at time.Time) {
	if f.Settles.IsZero() || !at.IsZero() && at.Before(f.Settles) {
		f.Settles = at
	}
}

func (f *Figures) fail(node string, exception v1alpha1.NodeException) {
	f.FailingTotal++
	if len(f.Failing) < MaxFailing {
		f.Failing = append(f.Failing, v1alpha1.FailingNode{Name: node, Reason: exception.Reason, Message: exception.Message})
	}
}

func exceptionOf(node Node, hub string) *v1alpha1.NodeException {
	for i := range node.Exceptions {
		if node.Exceptions[i].Hub == hub {
			return &node.Exceptions[i]
		}
	}
	return nil
}

// Behind are the names of the nodes, sorted, that can be expected to take up a revision and have not: Ready, with
// an agent, and reporting an older one.
func Behind(snapshot Snapshot, revision int64) []string {
	var names []string
	for _, node := range snapshot.Nodes {
		if node.Ready && node.HasAgent() && node.Revision < revision {
			names = append(names, node.Name)
		}
	}
	return names
}

// highestRevision is the highest that any node reports. What is past all reason is not believed: a node must not be
// able to bring the count to its end.
func highestRevision(snapshot Snapshot) int64 {
	const reasonable = 1 << 52
	var highest int64
	for _, node := range snapshot.Nodes {
		if node.Revision <= reasonable {
			highest = max(highest, node.Revision)
		}
	}
	return highest
}

// defaultSelector is every node for a hub that names none: to apimachinery no selector selects nothing.
func defaultSelector(selector *metav1.LabelSelector) *metav1.LabelSelector {
	if selector == nil {
		return &metav1.LabelSelector{}
	}
	return selector
}

func selectorOf(hub *v1alpha1.RegistryHub) (labels.Selector, error) {
	return metav1.LabelSelectorAsSelector(defaultSelector(hub.Spec.Nodes.Selector))
}
