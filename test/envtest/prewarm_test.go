package envtest

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
)

// pulls is how far the proxy is with what it pulls ahead.
func (p *proxy) pulls(report configv1alpha1.PrewarmReport) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.prewarm = &report
}

func (w *world) prewarmed(hub string) func() *configv1alpha1.PrewarmConfiguration {
	return func() *configv1alpha1.PrewarmConfiguration {
		configMap := &corev1.ConfigMap{}
		w.Expect(w.child(hub, configMap)).To(Succeed())
		configuration, err := configv1alpha1.DecodeProxyConfiguration([]byte(configMap.Data["config.yaml"]))
		w.Expect(err).NotTo(HaveOccurred())
		return configuration.Mirror.Prewarm
	}
}

func TestImagesArePulledAheadForTheNodesThereAre(t *testing.T) {
	w := begin(t)
	w.node("node-a", corev1.LabelArchStable, "amd64", "zone", "a")
	w.agent("node-a")
	w.node("node-b", corev1.LabelArchStable, "riscv64", "zone", "b")
	w.create(hubFor("ahead", "ahead.example", ephemeral, onNodes(map[string]string{"zone": "a"})))
	proxy := w.proxy("ahead")
	w.ready("ahead")
	w.Expect(w.prewarmed("ahead")()).To(BeNil())
	w.Expect(w.get("ahead").Status.Prewarm).To(BeNil())
	template := w.template("ahead")()

	proxy.pulls(configv1alpha1.PrewarmReport{Images: 2, Warm: 1, Failing: []configv1alpha1.PrewarmFailure{{Image: "ahead.example/b:1", Message: "away"}}})
	w.change("ahead", func(hub *v1alpha1.RegistryHub) {
		hub.Spec.Mirror.Prewarm = &v1alpha1.PrewarmSpec{Images: []v1alpha1.PrewarmImage{"ahead.example/a:1", "ahead.example/b:1"}}
	})
	w.Eventually(w.prewarmed("ahead")).Should(Equal(&configv1alpha1.PrewarmConfiguration{
		Images: []string{"ahead.example/a:1", "ahead.example/b:1"}, Platforms: []string{"linux/amd64"}, Every: &metav1.Duration{Duration: time.Hour},
	}))
	w.Eventually(func() *v1alpha1.PrewarmStatus { return w.get("ahead").Status.Prewarm }).Should(Equal(&v1alpha1.PrewarmStatus{
		Images: 2, Warm: 1, Summary: "1/2", Failing: []v1alpha1.PrewarmFailure{{Image: "ahead.example/b:1", Message: "away"}},
	}))
	w.becomes("ahead", v1alpha1.ConditionReady, "True/Ready")
	w.Expect(w.template("ahead")()).To(Equal(template), "the Pod stays")

	w.change("ahead", func(hub *v1alpha1.RegistryHub) {
		hub.Spec.Mirror.Prewarm.Platforms = []v1alpha1.PrewarmPlatform{"linux/arm64"}
	})
	w.Eventually(func() []string { return w.prewarmed("ahead")().Platforms }).Should(Equal([]string{"linux/arm64"}))

	w.change("ahead", func(hub *v1alpha1.RegistryHub) { hub.Spec.Mirror.Prewarm = nil })
	w.Eventually(func() *v1alpha1.PrewarmStatus { return w.get("ahead").Status.Prewarm }).Should(BeNil())
}
