package envtest

import (
	"fmt"
	"testing"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
)

const gi = 1 << 30

// figuresOf are those of a proxy in use, of one upstream.
func figuresOf(upstream string, changes ...func(*configv1alpha1.ProxyFigures)) *configv1alpha1.ProxyFigures {
	figures := &configv1alpha1.ProxyFigures{
		Store:   configv1alpha1.StoreFigures{CapacityBytes: 100 * gi, UsedBytes: 60 * gi, Objects: new(int64(1000))},
		Lookups: configv1alpha1.LookupFigures{Answered: 900, Missed: 100},
		Upstreams: []configv1alpha1.UpstreamFigures{{
			Name: upstream, Reachable: new(true), RateLimit: &configv1alpha1.RateLimitFigures{Limit: 100, Remaining: 50},
		}},
	}
	for _, change := range changes {
		change(figures)
	}
	return figures
}

func upstreamIs(up bool) func(*configv1alpha1.ProxyFigures) {
	return func(f *configv1alpha1.ProxyFigures) { f.Upstreams[0].Reachable = &up }
}

// counts lets the proxy say such figures from now on.
func (p *proxy) counts(figures func() *configv1alpha1.ProxyFigures) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.figures = figures
}

func counting(figures func() *configv1alpha1.ProxyFigures) func(*proxy) {
	return func(p *proxy) { p.counts(figures) }
}

func (p *proxy) answers() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked
}

// hubReconciles is how many reconciles of hubs were made.
func (w *world) hubReconciles() (total int) {
	families, err := metrics.Registry.Gather()
	w.Expect(err).NotTo(HaveOccurred())
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			for _, label := range metric.GetLabel() {
				if family.GetName() == "controller_runtime_reconcile_total" && label.GetValue() == "registryhub" {
					total += int(metric.GetCounter().GetValue())
				}
			}
		}
	}
	return total
}

// eventsSent are how many events there are, each with how often it was told again.
func (w *world) eventsSent() int {
	list := &eventsv1.EventList{}
	w.Expect(k8s.List(ctxOf(), list)).To(Succeed())
	sent := len(list.Items)
	for _, event := range list.Items {
		if event.Series != nil {
			sent += int(event.Series.Count)
		}
	}
	return sent
}

// askAgain has the hub reconciled and its proxy asked once more, as a resync has: the hub's ConfigMap has somebody else's
// annotation. It waits for the proxy's answer.
func (w *world) askAgain(p *proxy, round int) {
	asked := p.answers()
	patch := client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, `{"metadata":{"annotations":{"touched":"%d"}}}`, round))
	w.Expect(k8s.Patch(ctxOf(), &corev1.ConfigMap{ObjectMeta: named("hub-" + p.hub)}, patch)).To(Succeed())
	w.Eventually(p.answers).WithPolling(time.Millisecond).Should(BeNumerically(">", asked), "the proxy is asked")
}

func TestAThousandResyncsOfAHealthyHubChangeNothing(t *testing.T) {
	w := begin(t)
	w.twoNodes()
	w.create(hubFor("steady", "steady.example"))
	round := 0
	proxy := w.proxy("steady", counting(func() *configv1alpha1.ProxyFigures {
		round++ // what a hub in use says is never the same twice
		jitter := int64(round%7 - 3)
		return figuresOf("steady-example", func(f *configv1alpha1.ProxyFigures) {
			f.Store.UsedBytes += jitter * gi / 2
			f.Store.CapacityBytes += jitter << 20
			*f.Store.Objects += 10 * jitter
			f.Lookups.Answered += 5*jitter + int64(round)
			f.Lookups.Missed += int64(round) / 10
			f.Upstreams[0].RateLimit.Remaining += jitter
		})
	}))
	w.ready("steady")
	w.Eventually(func() *v1alpha1.StorageStatus { return w.get("steady").Status.Storage }).Should(HaveField("Used", Not(BeNil())))
	w.settle()

	const resyncs = 1000
	before, wrote, told, reconciled, asked := w.get("steady").Status, writes.Load(), w.eventsSent(), w.hubReconciles(), proxy.answers()
	for i := 0; w.hubReconciles()-reconciled < resyncs || proxy.answers()-asked < resyncs; i++ {
		w.askAgain(proxy, i)
	}
	w.Consistently(func() int64 { return writes.Load() - wrote }).Should(BeZero(), "the manager sends nothing but reads")
	w.Expect(w.eventsSent()).To(Equal(told), "events")
	w.Expect(w.get("steady").Status).To(Equal(before))
	t.Logf("%d reconciles of the hub, %d answers of its proxy, %d writes, %d events",
		w.hubReconciles()-reconciled, proxy.answers()-asked, writes.Load()-wrote, w.eventsSent()-told)

	proxy.counts(func() *configv1alpha1.ProxyFigures {
		return figuresOf("steady-example", func(f *configv1alpha1.ProxyFigures) { f.Store.UsedBytes = 70 * gi })
	})
	w.askAgain(proxy, -1)
	w.Eventually(func() string { return w.get("steady").Status.Storage.Used.String() }).Should(Equal("70Gi"))
	w.settle()
	w.Expect(writes.Load()-wrote).To(BeEquivalentTo(1), "what matters is written, once")
}

func TestFiguresStayWhileNoProxyRuns(t *testing.T) {
	w := begin(t)
	w.create(hubFor("figures", "figures.example", ephemeral))
	w.proxy("figures", counting(func() *configv1alpha1.ProxyFigures { return figuresOf("figures-example") }))
	w.ready("figures")
	shown := func() v1alpha1.RegistryHubStatus {
		is := w.get("figures").Status
		return v1alpha1.RegistryHubStatus{Storage: is.Storage, Cache: is.Cache, Upstreams: is.Upstreams}
	}
	w.Eventually(func() *v1alpha1.CacheStatus { return shown().Cache }).ShouldNot(BeNil())
	before := shown()
	w.Expect(before.Storage.Capacity.String() + " " + before.Storage.Used.String()).To(Equal("100Gi 60Gi"))
	w.Expect([]int64{*before.Storage.Objects, int64(*before.Cache.HitPercent)}).To(Equal([]int64{1000, 90}))
	w.Expect(before.Upstreams[0]).To(Equal(v1alpha1.UpstreamStatus{
		Name: "figures-example", URL: "https://figures.example", Reachable: new(true), RateLimit: &v1alpha1.RateLimitStatus{Limit: 100, Remaining: 50},
	}))

	w.Expect(k8s.Delete(ctxOf(), w.pod("figures"), client.GracePeriodSeconds(0))).To(Succeed())
	w.settle()
	w.Expect(shown()).To(Equal(before))
	restart(t)
	w.Consistently(shown, 2*time.Second).Should(Equal(before), "a manager that starts knows no better")
}

func TestAnUpstreamThatIsDownIsShownAndGatesNothing(t *testing.T) {
	w := begin(t)
	w.create(hubFor("far", "far.example", ephemeral))
	proxy := w.proxy("far", counting(func() *configv1alpha1.ProxyFigures { return figuresOf("far-example") }))
	w.ready("far")
	w.becomes("far", v1alpha1.ConditionUpstreamReachable, "True/UpstreamsReachable")

	proxy.counts(func() *configv1alpha1.ProxyFigures { return figuresOf("far-example", upstreamIs(false)) })
	w.askAgain(proxy, 1)
	w.Consistently(w.condition("far", v1alpha1.ConditionUpstreamReachable)).Should(Equal("True/UpstreamsReachable"), "it may be back at once")
	restart(t) // it believes the first word
	w.becomes("far", v1alpha1.ConditionUpstreamReachable, "False/UpstreamsDown")
	w.Expect(w.message("far", v1alpha1.ConditionUpstreamReachable)).To(ContainSubstring("far-example"))
	w.Expect(w.condition("far", v1alpha1.ConditionReady)()).To(Equal("True/Ready"))
	w.isKstatus("far", status.CurrentStatus)
	verdicts, _, err := verdictsOf(w.get("far"))
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect([]string{verdicts.Kstatus, verdicts.ArgoCD, verdicts.Flux}).To(Equal([]string{"Current", "Healthy", "Current"}))

	proxy.counts(func() *configv1alpha1.ProxyFigures { return figuresOf("far-example") })
	restart(t)
	w.becomes("far", v1alpha1.ConditionUpstreamReachable, "True/UpstreamsReachable")
	w.Eventually(w.told("far")).Should(Equal([]string{"Normal/Ready", "Normal/UpstreamsReachable", "Warning/UpstreamsDown"}))
	w.settle()
	w.Expect(w.told("far")()).To(HaveLen(3))
}
