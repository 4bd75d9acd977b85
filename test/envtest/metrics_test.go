package envtest

import (
	"fmt"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/registryhub/registryhub/api/v1alpha1"
)

// measured are the series of the manager whose text has a part, with their values.
func (w *world) measured(part string) func() map[string]float64 {
	return func() map[string]float64 {
		families, err := metrics.Registry.Gather()
		w.Expect(err).NotTo(HaveOccurred())
		found := map[string]float64{}
		for _, family := range families {
			for _, metric := range family.GetMetric() {
				var labels []string
				for _, label := range metric.GetLabel() {
					labels = append(labels, fmt.Sprintf("%s=%q", label.GetName(), label.GetValue()))
				}
				if series := family.GetName() + "{" + strings.Join(labels, ",") + "}"; strings.Contains(series, part) {
					found[series] = metric.GetGauge().GetValue()
				}
			}
		}
		return found
	}
}

func TestTheManagersMetricsSayHowHubsAre(t *testing.T) {
	w := begin(t)
	w.twoNodes()
	hub := w.create(hubFor("told", "told.example", ephemeral))
	w.serve("told")
	w.Eventually(w.hosts("told")).Should(Equal("told.example"))
	w.report("n1")
	w.Eventually(w.measured(`hub="told"`)).Should(SatisfyAll(
		HaveKeyWithValue(`registryhub_hub_nodes_desired{hub="told"}`, 2.0),
		HaveKeyWithValue(`registryhub_hub_nodes_wired{hub="told"}`, 1.0),
		HaveKeyWithValue(`registryhub_hub_condition{hub="told",reason="Wiring",type="NodesWired"}`, 0.0),
		HaveKeyWithValue(`registryhub_hub_condition{hub="told",reason="Available",type="ProxyAvailable"}`, 1.0),
	))
	w.report("n2", v1alpha1.NodeException{Hub: "told", Host: "told.example", Reason: v1alpha1.NodeReasonForeignHostsFile})
	w.Eventually(w.measured(`hub="told"`)).Should(HaveKeyWithValue(`registryhub_hub_node_exceptions{hub="told",reason="ForeignHostsFile"}`, 1.0))
	w.Expect(w.measured("registryhub_manager_")()).To(SatisfyAll(
		HaveKeyWithValue("registryhub_manager_leader{}", 1.0),
		HaveKey(`registryhub_manager_certificate_expiry_timestamp_seconds{certificate="authority"}`),
		HaveKey(`registryhub_manager_certificate_expiry_timestamp_seconds{certificate="node-client"}`),
	))

	w.removeByForce(hub.Name)
	w.Eventually(w.measured(`hub="told"`)).Should(BeEmpty(), "nothing is left behind of a hub that is gone")
}
