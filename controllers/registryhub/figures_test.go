package registryhub

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/internal/conditions"
	"github.com/registryhub/registryhub/controllers/proxies"
)

// told is what a Pod of a hub that is used says.
func told(changes ...func(*configv1alpha1.ProxyFigures)) proxies.Report {
	figures := &configv1alpha1.ProxyFigures{
		Store:   configv1alpha1.StoreFigures{CapacityBytes: 100 << 30, UsedBytes: 60 << 30, Objects: new(int64(1234)), LastEviction: new(metav1.NewTime(now.Add(-time.Minute)))},
		Lookups: configv1alpha1.LookupFigures{Answered: 90, Missed: 10},
		Upstreams: []configv1alpha1.UpstreamFigures{
			{Name: "a-example", Reachable: new(true), RateLimit: &configv1alpha1.RateLimitFigures{Limit: 100, Remaining: 76}},
			{Name: "somebody-elses", Reachable: new(false)},
		},
	}
	for _, change := range changes {
		change(figures)
	}
	return says("wanted", func(r *proxies.Report) { r.Figures = figures })
}

// granted is a claim that the cluster gave so much.
func granted(capacity string) func(*scope) {
	return func(s *scope) {
		s.claim.Status.Capacity = corev1.ResourceList{corev1.ResourceStorage: resource.MustParse(capacity)}
	}
}

// shows is the status of told, on a claim of 100Gi.
func shows(changes ...func(*v1alpha1.RegistryHubStatus)) v1alpha1.RegistryHubStatus {
	status := v1alpha1.RegistryHubStatus{
		Storage: &v1alpha1.StorageStatus{
			Capacity: new(resource.MustParse("100Gi")), Used: new(resource.MustParse("60Gi")), Objects: new(int64(1230)),
			LastEviction: new(metav1.NewTime(now.Add(-time.Minute))), Retention: v1alpha1.VolumeDelete,
		},
		Cache: &v1alpha1.CacheStatus{HitPercent: new(int32(90))},
		Upstreams: []v1alpha1.UpstreamStatus{{
			Name: "a-example", URL: "https://a.example", Reachable: new(true), RateLimit: &v1alpha1.RateLimitStatus{Limit: 100, Remaining: 76},
		}},
	}
	for _, change := range changes {
		change(&status)
	}
	return status
}

func saidBefore(changes ...func(*v1alpha1.RegistryHubStatus)) func(*scope) {
	return func(s *scope) { s.hub.Status = shows(changes...) }
}

func TestFiguresInTheStatus(t *testing.T) {
	t.Parallel()
	bare := v1alpha1.RegistryHubStatus{
		Storage:   &v1alpha1.StorageStatus{Capacity: new(resource.MustParse("101Gi")), Retention: v1alpha1.VolumeDelete},
		Upstreams: []v1alpha1.UpstreamStatus{{Name: "a-example", URL: "https://a.example"}},
	}
	a := func(reports ...proxies.Report) func(*scope) { return func(s *scope) { s.reports = reports } }
	hardly := told(func(f *configv1alpha1.ProxyFigures) {
		f.Store.UsedBytes, f.Store.Objects, f.Lookups.Answered = 62<<30, new(int64(1300)), 70
		f.Upstreams[0].RateLimit.Remaining = 70
	})
	full := func(f *configv1alpha1.ProxyFigures) { f.Store.UsedBytes, f.Store.Objects = 95<<30, new(int64(1300)) }
	elsewhere := func(status *v1alpha1.RegistryHubStatus) { status.Upstreams[0].URL = "https://before.example" }
	cases := map[string]struct {
		scope *scope
		want  v1alpha1.RegistryHubStatus
	}{
		"no Pod has said any": {healthy(granted("101Gi")), bare},
		"what a Pod says":     {healthy(granted("101Gi"), a(told())), shows()},
		"without a claim": {healthy(func(s *scope) { s.hub.Spec.Storage.Type = v1alpha1.StorageEphemeral }, a(told())), shows(func(status *v1alpha1.RegistryHubStatus) {
			status.Storage.Retention = ""
		})},
		"what has hardly moved": {healthy(granted("101Gi"), saidBefore(), a(hardly)), shows()},
		"what has moved, and all beside": {healthy(granted("101Gi"), saidBefore(), a(told(full))), shows(func(status *v1alpha1.RegistryHubStatus) {
			status.Storage.Used, status.Storage.Objects = new(resource.MustParse("95Gi")), new(int64(1300))
		})},
		"no Pod any more":                {healthy(granted("101Gi"), saidBefore(), a()), shows()},
		"a Pod that has just started":    {healthy(granted("101Gi"), saidBefore(), a(told(func(f *configv1alpha1.ProxyFigures) { *f = configv1alpha1.ProxyFigures{} }))), shows()},
		"an upstream that was elsewhere": {healthy(granted("101Gi"), saidBefore(elsewhere), a()), shows(func(status *v1alpha1.RegistryHubStatus) { status.Upstreams = bare.Upstreams })},
		"a Pod with the configuration of before": {
			healthy(granted("101Gi"), saidBefore(elsewhere), a(func(r proxies.Report) proxies.Report { r.InForce = "before"; return r }(told()))),
			shows(func(status *v1alpha1.RegistryHubStatus) { status.Upstreams = bare.Upstreams }),
		},
		"a hub that goes": {healthy(deleted, saidBefore(), a(told(full))), shows()},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status := nextStatus(tc.scope)
			got := v1alpha1.RegistryHubStatus{Storage: status.Storage, Cache: status.Cache, Upstreams: status.Upstreams}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("figures (-want +got):\n%s", diff)
			}
			tc.scope.hub.Status = status
			if again := nextStatus(tc.scope); !sameStatus(status, again) {
				t.Errorf("it is written twice (-first +second):\n%s", cmp.Diff(status, again))
			}
		})
	}
}

func TestUpstreamReachable(t *testing.T) {
	t.Parallel()
	const reached, unreached = "True/UpstreamsReachable every upstream that was asked answers", "False/UpstreamsDown what is cached is served; no answer from: "
	one := func(name string, reachable *bool) v1alpha1.UpstreamStatus {
		return v1alpha1.UpstreamStatus{Name: name, Reachable: reachable}
	}
	cases := map[string]struct {
		upstreams []v1alpha1.UpstreamStatus
		want      string
	}{
		"none, for every other host": {nil, ""},
		"one that nobody asked":      {[]v1alpha1.UpstreamStatus{one("a", nil)}, ""},
		"one that answers":           {[]v1alpha1.UpstreamStatus{one("a", new(true))}, reached},
		"one that was never needed":  {[]v1alpha1.UpstreamStatus{one("a", new(true)), one("b", nil)}, reached},
		"one that is down":           {[]v1alpha1.UpstreamStatus{one("a", new(false)), one("b", new(true))}, unreached + "a"},
		"all that were asked":        {[]v1alpha1.UpstreamStatus{one("a", new(false)), one("b", nil), one("c", new(false))}, unreached + "a, c"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := ""
			if list := upstreamReachable(tc.upstreams); len(list) > 0 {
				got = string(list[0].Status) + "/" + list[0].Reason + " " + list[0].Message
			}
			if got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestAnUpstreamThatIsDownGatesNothing(t *testing.T) {
	t.Parallel()
	s := reported(told(func(f *configv1alpha1.ProxyFigures) { f.Upstreams[0].Reachable = new(false) }))
	list := nextStatus(s).Conditions
	if !meta.IsStatusConditionTrue(list, v1alpha1.ConditionReady) || !meta.IsStatusConditionFalse(list, v1alpha1.ConditionUpstreamReachable) {
		t.Errorf("conditions are %+v", list)
	}
	if err := conditions.Check(list, 3, v1alpha1.ConditionReady, v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled, v1alpha1.ConditionSuspended); err != nil {
		t.Error(err)
	}
	s.hub.Status.Conditions = list
	deleted(s)
	if meta.FindStatusCondition(nextStatus(s).Conditions, v1alpha1.ConditionUpstreamReachable) != nil {
		t.Error("a hub that goes speaks of its upstreams")
	}
}
