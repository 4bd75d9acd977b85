package registryhub

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
)

func TestNextSize(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ current, maximum, want string }{
		"by a fifth":                         {"100Gi", "500Gi", "120Gi"},
		"by a fifth, in whole Gi":            {"12Gi", "500Gi", "15Gi"},
		"by one Gi at least":                 {"2Gi", "500Gi", "3Gi"},
		"of less than one Gi":                {"100Mi", "500Gi", "2Gi"},
		"up to the most":                     {"100Gi", "110Gi", "110Gi"},
		"up to a most that is no whole Gi":   {"100Gi", "110G", "110G"},
		"at the most":                        {"500Gi", "500Gi", ""},
		"over the most, which was made less": {"600Gi", "500Gi", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			next, grows := nextSize(resource.MustParse(tc.current), resource.MustParse(tc.maximum))
			got := next.String()
			if !grows {
				got = ""
			}
			if got != tc.want {
				t.Errorf("after %s, of at most %s: %q, want %q", tc.current, tc.maximum, got, tc.want)
			}
		})
	}
}

func TestLacksRoom(t *testing.T) {
	t.Parallel()
	grown := now.Add(-30 * time.Minute)
	evicted := func(ago time.Duration) *metav1.Time { return new(metav1.NewTime(now.Add(-ago))) }
	spec := v1alpha1.EvictionSpec{HighWatermarkPercent: new(int32(70)), LowWatermarkPercent: new(int32(50))}
	for name, tc := range map[string]struct {
		store    configv1alpha1.StoreFigures
		eviction v1alpha1.EvictionSpec
		grown    time.Time
		want     bool
	}{
		"at the high watermark":                   {store: configv1alpha1.StoreFigures{CapacityBytes: 1000, UsedBytes: 900}, want: true},
		"below it":                                {store: configv1alpha1.StoreFigures{CapacityBytes: 1000, UsedBytes: 899}},
		"at one of the spec":                      {store: configv1alpha1.StoreFigures{CapacityBytes: 1000, UsedBytes: 700}, eviction: spec, want: true},
		"it evicted a minute ago":                 {store: configv1alpha1.StoreFigures{CapacityBytes: 1000, UsedBytes: 795, LastEviction: evicted(time.Minute)}, grown: grown, want: true},
		"it evicted long ago":                     {store: configv1alpha1.StoreFigures{CapacityBytes: 1000, UsedBytes: 795, LastEviction: evicted(11 * time.Minute)}, grown: grown},
		"it evicted before it grew":               {store: configv1alpha1.StoreFigures{CapacityBytes: 1000, UsedBytes: 795, LastEviction: evicted(5 * time.Minute)}, grown: now.Add(-4 * time.Minute)},
		"it evicted what nobody had asked for":    {store: configv1alpha1.StoreFigures{CapacityBytes: 1000, UsedBytes: 300, LastEviction: evicted(time.Minute)}, grown: grown},
		"it evicted, and the spec's low is lower": {store: configv1alpha1.StoreFigures{CapacityBytes: 1000, UsedBytes: 460, LastEviction: evicted(time.Minute)}, eviction: spec, grown: grown, want: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := lacksRoom(tc.store, tc.eviction, now, tc.grown); got != tc.want {
				t.Errorf("%v, want %v", got, tc.want)
			}
		})
	}
}

// crowded is a hub on a volume of 10Gi, of at most 20Gi, whose store is over its high watermark.
func crowded(changes ...func(*scope)) *scope {
	return onVolume(append([]func(*scope){func(s *scope) {
		s.hub.Spec.Storage.PersistentVolumeClaim.MaxSize = new(resource.MustParse("20Gi"))
		measured("9900Mi", "10000Mi")(s)
	}}, changes...)...)
}

func measured(used, capacity string) func(*scope) {
	is, has := resource.MustParse(used), resource.MustParse(capacity)
	return func(s *scope) {
		s.reports[0].Figures = &configv1alpha1.ProxyFigures{Store: configv1alpha1.StoreFigures{UsedBytes: is.Value(), CapacityBytes: has.Value()}}
	}
}

func grewAt(at string) func(*scope) {
	return func(s *scope) {
		metav1.SetMetaDataAnnotation(&s.claim.ObjectMeta, v1alpha1.AnnotationGrownAt, at)
	}
}

func TestAVolumeGrowsByItself(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		scope *scope
		want  string // empty: it stays as it is
		again time.Duration
	}{
		"over its high watermark":             {crowded(), "12Gi", volumePeriod},
		"with room":                           {crowded(measured("5Gi", "10Gi")), "", volumePeriod},
		"before its figures are known":        {crowded(func(s *scope) { s.reports[0].Figures = nil }), "", volumePeriod},
		"nobody lets it":                      {crowded(func(s *scope) { s.hub.Spec.Storage.PersistentVolumeClaim.MaxSize = nil }), "", 0},
		"it is as large as it may be":         {crowded(sized("20Gi", "20Gi", "20Gi")), "", 0},
		"it still grows":                      {crowded(sized("12Gi", "12Gi", "10Gi")), "", 0},
		"it grew a minute ago":                {crowded(grewAt("2026-01-02T03:03:05Z")), "", volumePeriod},
		"it grew eleven minutes ago":          {crowded(grewAt("2026-01-02T02:53:05Z")), "12Gi", volumePeriod},
		"it grew when nobody can tell":        {crowded(grewAt("yesterday")), "12Gi", volumePeriod},
		"its file system is somebody else's":  {crowded(measured("95Gi", "100Gi")), "", volumePeriod},
		"its file system is a little larger":  {crowded(measured("12Gi", "12Gi")), "12Gi", volumePeriod},
		"there is no claim":                   {crowded(func(s *scope) { s.claim = nil }), "", 0},
		"its size is not known":               {crowded(func(s *scope) { s.claim.Status.Capacity = corev1.ResourceList{} }), "", 0},
		"one Pod of several is short of room": {crowded(func(s *scope) { s.reports = append(onVolume().reports, s.reports...) }), "12Gi", volumePeriod},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			next, grows := selfGrown(tc.scope)
			got := next.String()
			if !grows {
				got = ""
			}
			if got != tc.want || tc.scope.next != tc.again {
				t.Errorf("grows to %q and looks again in %s, want %q and %s", got, tc.scope.next, tc.want, tc.again)
			}
		})
	}
}

func TestWhatIsSaidOfAVolumeThatGrowsByItself(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		scope       *scope
		want, words string
	}{
		"it need not":           {crowded(), "True/VolumeBound", "is bound"},
		"its class cannot grow": {crowded(fixedSize), "False/VolumeCannotGrow", "keeps 10Gi, and cannot grow to 20Gi"},
		"its class cannot grow, nor may it any more": {crowded(fixedSize, sized("20Gi", "20Gi", "20Gi")), "True/VolumeBound", "has grown to 20Gi, of at most 20Gi"},
		"it has grown":               {crowded(sized("12Gi", "12Gi", "12Gi")), "True/VolumeBound", "has grown to 12Gi, of at most 20Gi"},
		"it is larger than the most": {crowded(sized("30Gi", "30Gi", "30Gi")), "True/VolumeBound", "volumes do not shrink"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tellsOfStorage(t, tc.scope, tc.want, tc.words)
		})
	}
}
