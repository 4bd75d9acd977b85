package envtest

import (
	"testing"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
)

// template counts the changes of a hub's Deployment: its Pod is replaced by none but those.
func (w *world) template(name string) func() int64 {
	return func() int64 {
		deployment := &appsv1.Deployment{}
		w.Expect(w.child(name, deployment)).To(Succeed())
		return deployment.Generation
	}
}

func believeTagsFor(d time.Duration) func(*v1alpha1.RegistryHub) {
	return func(hub *v1alpha1.RegistryHub) { hub.Spec.Mirror.Tags.RevalidateAfter = &metav1.Duration{Duration: d} }
}

func TestAChangeReachesTheProxyThatRuns(t *testing.T) {
	w := begin(t)
	w.create(hubFor("reload", "reload.example", ephemeral))
	proxy := w.proxy("reload")
	w.ready("reload")
	template, before := w.template("reload")(), proxy.wanted()
	annotated := func() string {
		pod := w.pod("reload")
		w.Expect(k8s.Get(ctxOf(), client.ObjectKeyFromObject(pod), pod)).To(Succeed())
		return pod.Annotations[v1alpha1.AnnotationConfigHash]
	}
	w.Expect(annotated()).To(BeEmpty(), "a Pod that has what it should is left alone")

	proxy.hold()
	w.change("reload", believeTagsFor(time.Hour))
	w.becomes("reload", v1alpha1.ConditionProxyAvailable, "False/ConfigurationPending")
	w.becomes("reload", v1alpha1.ConditionReady, "False/Progressing")
	w.isKstatus("reload", status.InProgressStatus)
	w.Expect(proxy.wanted()).NotTo(Equal(before))
	w.Eventually(annotated).Should(Equal(proxy.wanted()), "the kubelet is told that the Pod changed")
	w.Consistently(w.condition("reload", v1alpha1.ConditionProxyAvailable)).Should(Equal("False/ConfigurationPending"))

	proxy.take()
	w.becomes("reload", v1alpha1.ConditionProxyAvailable, "True/Available")
	w.becomes("reload", v1alpha1.ConditionReady, "True/Ready")
	w.Expect(w.template("reload")()).To(Equal(template), "the Pod stays")
}

func TestARefusedConfigurationStallsTheHubUntilItIsCured(t *testing.T) {
	w := begin(t)
	w.create(hubFor("refused", "refused.example", ephemeral))
	proxy := w.proxy("refused")
	w.ready("refused")
	good := proxy.wanted()

	proxy.hold()
	w.change("refused", believeTagsFor(time.Hour))
	w.becomes("refused", v1alpha1.ConditionProxyAvailable, "False/ConfigurationPending")
	proxy.refuse("mirror.hosts: no such thing")
	w.becomes("refused", v1alpha1.ConditionProxyAvailable, "False/ConfigurationRefused")
	w.becomes("refused", v1alpha1.ConditionStalled, "True/ConfigurationRefused")
	w.isKstatus("refused", status.FailedStatus)
	w.Expect(w.message("refused", v1alpha1.ConditionReady)).To(ContainSubstring("mirror.hosts: no such thing"))
	w.Eventually(w.told("refused")).Should(ContainElement("Warning/ConfigurationRefused"))

	w.change("refused", believeTagsFor(5*time.Minute))
	w.Eventually(proxy.wanted).Should(Equal(good))
	w.becomes("refused", v1alpha1.ConditionReady, "True/Ready")
	w.becomes("refused", v1alpha1.ConditionStalled, "")
}

func TestAProxyThatCannotBeAskedIsNoSuccess(t *testing.T) {
	w := begin(t)
	w.create(hubFor("mute", "mute.example", ephemeral))
	proxy := w.proxy("mute", (*proxy).silence)
	w.serve("mute")
	w.becomes("mute", v1alpha1.ConditionProxyAvailable, "False/ConfigurationPending")
	w.Eventually(func() string { return w.message("mute", v1alpha1.ConditionProxyAvailable) }).Should(ContainSubstring("it answers 404"))
	proxy.take()
	w.becomes("mute", v1alpha1.ConditionProxyAvailable, "True/Available")
}

func TestAPodIsReplacedForAnotherImageAndNotForAnotherRule(t *testing.T) {
	w := begin(t)
	w.create(hubFor("kept", "kept.example", ephemeral))
	w.ready("kept")
	template := w.template("kept")()
	for name, change := range map[string]func(*v1alpha1.RegistryHub){
		"a rule": func(hub *v1alpha1.RegistryHub) {
			hub.Spec.Mirror.FallbackRules = []v1alpha1.FallbackRule{{Name: "r", Match: "a", Rewrite: "b"}}
		},
		"a host":         func(hub *v1alpha1.RegistryHub) { hub.Spec.Hosts = append(hub.Spec.Hosts, "kept-too.example") },
		"the watermarks": func(hub *v1alpha1.RegistryHub) { hub.Spec.Storage.Eviction.HighWatermarkPercent = new(int32(85)) },
		"the scrub": func(hub *v1alpha1.RegistryHub) {
			hub.Spec.Storage.Scrub.Every = &metav1.Duration{Duration: 24 * time.Hour}
		},
	} {
		w.change("kept", change)
		w.becomes("kept", v1alpha1.ConditionProxyAvailable, "True/Available")
		w.Expect(w.template("kept")()).To(Equal(template), name)
	}
	w.change("kept", func(hub *v1alpha1.RegistryHub) {
		hub.Spec.Proxy.Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: quantities("cpu", "1")["cpu"]}
	})
	w.becomes("kept", v1alpha1.ConditionProxyAvailable, "False/RollingOut")
	w.Expect(w.template("kept")()).NotTo(Equal(template))
}

func TestADiskInTroubleIsShownAndGatesNothing(t *testing.T) {
	w := begin(t)
	w.create(hubFor("disk", "disk.example"))
	proxy := w.proxy("disk", found(configv1alpha1.StoreReport{Failing: true}))
	w.ready("disk")
	w.becomes("disk", v1alpha1.ConditionStorageReady, "False/VolumeNotWritable")
	w.isKstatus("disk", status.CurrentStatus)
	w.Eventually(w.told("disk")).Should(ContainElement("Warning/VolumeNotWritable"))

	proxy.finds(configv1alpha1.StoreReport{Full: true})
	w.change("disk", believeTagsFor(time.Hour)) // so that it is asked at once
	w.becomes("disk", v1alpha1.ConditionStorageReady, "False/VolumeFull")
	w.becomes("disk", v1alpha1.ConditionReady, "True/Ready")
	w.Expect(w.message("disk", v1alpha1.ConditionReady)).To(ContainSubstring("has no room"))

	proxy.finds(configv1alpha1.StoreReport{})
	w.change("disk", believeTagsFor(time.Minute))
	w.becomes("disk", v1alpha1.ConditionStorageReady, "True/VolumeBound")
}

func TestAManagerThatStartsBelievesWhatWasSaidUntilItHasAsked(t *testing.T) {
	w := begin(t)
	w.create(hubFor("restarted", "restarted.example", ephemeral))
	proxy := w.proxy("restarted", found(configv1alpha1.StoreReport{Full: true}))
	w.ready("restarted")
	w.becomes("restarted", v1alpha1.ConditionStorageReady, "False/VolumeFull")
	w.settle()
	before := w.get("restarted").Status
	proxy.silence()
	restart(t)
	w.Consistently(func() v1alpha1.RegistryHubStatus { return w.get("restarted").Status }, 2*time.Second).Should(Equal(before))
}
