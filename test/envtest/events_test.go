package envtest

import (
	"slices"
	"testing"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	eventsv1 "k8s.io/api/events/v1"

	"github.com/registryhub/registryhub/api/v1alpha1"
)

// told is what the events say of a hub, as "Type/Reason", sorted.
func (w *world) told(name string) func() []string {
	return func() []string {
		list := &eventsv1.EventList{}
		w.Expect(k8s.List(ctxOf(), list)).To(Succeed())
		var told []string
		for _, event := range list.Items {
			if event.Regarding.Kind == "RegistryHub" && event.Regarding.Name == name {
				told = append(told, event.Type+"/"+event.Reason)
			}
		}
		slices.Sort(told)
		return told
	}
}

func TestEventsTellOfTransitionsAndOfNothingElse(t *testing.T) {
	w := begin(t)
	w.twoNodes()
	w.create(hubFor("eventful", "eventful.example", ephemeral))
	w.ready("eventful")
	w.Eventually(w.told("eventful")).Should(Equal([]string{"Normal/Ready"}))

	w.setDeployment("eventful", func(s *appsv1.DeploymentStatus) { s.ReadyReplicas, s.AvailableReplicas = 0, 0 })
	w.becomes("eventful", v1alpha1.ConditionProxyAvailable, "False/Unavailable")
	w.Eventually(w.told("eventful")).Should(Equal([]string{"Normal/Ready", "Warning/Progressing", "Warning/Unavailable"}))
	w.node("n3") // figures change, and nothing else
	w.agent("n3")
	w.report("n3")
	w.Eventually(w.nodes("eventful")).Should(Equal("3/3"))
	w.Consistently(w.told("eventful")).Should(HaveLen(3))
}
