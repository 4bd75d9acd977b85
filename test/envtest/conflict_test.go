package envtest

import (
	"testing"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	. "github.com/onsi/gomega"

	"github.com/registryhub/registryhub/api/v1alpha1"
)

// Hubs of one second are told apart by their names.

func TestTheOlderOfTwoHubsKeepsTheHost(t *testing.T) {
	w := begin(t)
	w.twoNodes()
	w.create(hubFor("claim-1", "contested.example", ephemeral))
	w.ready("claim-1")
	newer := hubFor("claim-2", "contested.example", ephemeral)
	newer.Spec.Hosts = append(newer.Spec.Hosts, "free.example")
	w.create(newer)

	w.becomes("claim-2", v1alpha1.ConditionStalled, "True/HostConflict")
	w.isKstatus("claim-2", status.FailedStatus)
	w.Expect(w.message("claim-2", v1alpha1.ConditionReady)).To(Equal("the older hub claim-1 has contested.example on nodes that both select"))
	w.serve("claim-2")
	w.Eventually(w.hosts("claim-2")).Should(Equal("free.example"), "what is not contested works")
	w.reportAll()
	w.becomes("claim-2", v1alpha1.ConditionNodesWired, "True/NodesWired")
	w.becomes("claim-2", v1alpha1.ConditionReady, "False/HostConflict")
	w.becomes("claim-1", v1alpha1.ConditionReady, "True/Ready")
	w.Expect(w.hosts("claim-1")()).To(Equal("contested.example"))

	w.removeByForce("claim-1")
	w.Eventually(w.hosts("claim-2")).Should(Equal("contested.example free.example"), "the host falls to the newer one")
	w.reportAll()
	w.becomes("claim-2", v1alpha1.ConditionReady, "True/Ready")
}

func TestAHubWithoutAnyHostOfItsOwnIsStalled(t *testing.T) {
	w := begin(t)
	w.create(hubFor("all-1", "all.example", ephemeral))
	w.ready("all-1")
	w.create(hubFor("all-2", "all.example", ephemeral))
	w.becomes("all-2", v1alpha1.ConditionStalled, "True/HostConflict")
	w.becomes("all-2", v1alpha1.ConditionNodesWired, "False/HostConflict")
	w.serve("all-2")
	w.becomes("all-2", v1alpha1.ConditionProxyAvailable, "True/Available")
	w.Consistently(w.hosts("all-2")).Should(BeEmpty())
}

func TestOneHubStandsForEveryHostThatHasNoneOfItsOwn(t *testing.T) {
	w := begin(t)
	w.twoNodes()
	anyHost := func(hub *v1alpha1.RegistryHub) {
		hub.Spec.Mirror.AllowedHosts = []v1alpha1.HostPattern{"quay.io", "own.example"}
	}
	w.create(hubFor("any-1", "*", ephemeral, anyHost))
	w.ready("any-1")
	w.create(hubFor("own-1", "own.example", ephemeral))
	w.ready("own-1")
	w.Expect(w.hosts("any-1")()).To(Equal("*"), "a host of another hub is no conflict")

	w.create(hubFor("any-2", "*", ephemeral, anyHost))
	w.becomes("any-2", v1alpha1.ConditionStalled, "True/HostConflict")
	w.Expect(w.message("any-2", v1alpha1.ConditionReady)).To(Equal("the older hub any-1 has * on nodes that both select"))
}

func TestDisjointSelectorsAreNoConflictUntilANodeHasBoth(t *testing.T) {
	w := begin(t)
	w.node("n1", "zone", "a")
	w.node("n2", "zone", "b")
	w.agent("n1")
	w.agent("n2")
	w.create(hubFor("zone-a", "zoned.example", ephemeral, onNodes(map[string]string{"zone": "a"})))
	w.ready("zone-a")
	w.create(hubFor("zone-b", "zoned.example", ephemeral, onNodes(map[string]string{"zone": "b"})))
	w.ready("zone-b")
	w.Eventually(w.nodes("zone-b")).Should(Equal("1/1"))

	w.change("zone-b", func(hub *v1alpha1.RegistryHub) { hub.Spec.Nodes.Selector = nil })
	w.becomes("zone-b", v1alpha1.ConditionStalled, "True/HostConflict")
	w.change("zone-b", func(hub *v1alpha1.RegistryHub) {
		onNodes(map[string]string{"zone": "b"})(hub)
	})
	w.ready("zone-b")
}
