package registryhub

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/proxies"
)

// figures are what the status is to say of a hub with these upstreams: what the proxies say, once it has moved enough to
// matter, and else what the status said before.
func figures(s *scope, upstreams []v1alpha1.UpstreamStatus) proxies.Figures {
	before, after := shownFigures(s.hub.Status, upstreams), saidFigures(s, upstreams)
	if proxies.Moved(before, after) {
		return after.Or(before)
	}
	return before
}

// saidFigures are those of the Pods, of upstreams these alone: while a Pod does not serve with what it should, its upstreams
// may be others of the same names.
func saidFigures(s *scope, upstreams []v1alpha1.UpstreamStatus) proxies.Figures {
	reports := slices.Clone(s.reports)
	for i := range reports {
		report := &reports[i]
		if report.Figures == nil {
			continue
		}
		report.Figures = report.Figures.DeepCopy()
		report.Figures.Upstreams = slices.DeleteFunc(report.Figures.Upstreams, func(said configv1alpha1.UpstreamFigures) bool {
			isWanted := slices.ContainsFunc(upstreams, func(u v1alpha1.UpstreamStatus) bool { return u.Name == said.Name })
			return !isWanted || !report.ServesWith(s.configHash)
		})
	}
	return proxies.FiguresOf(reports)
}

// shownFigures are those that a status has, of upstreams those that are asked at the same URL.
func shownFigures(status v1alpha1.RegistryHubStatus, upstreams []v1alpha1.UpstreamStatus) proxies.Figures {
	shown := proxies.Figures{Upstreams: map[string]proxies.Upstream{}}
	if storage := status.Storage; storage != nil {
		if storage.Capacity != nil && storage.Used != nil { // else the capacity is not the proxy's
			shown.Capacity, shown.Used = storage.Capacity.Value(), storage.Used.Value()
		}
		shown.Objects = storage.Objects
		if storage.LastEviction != nil {
			shown.LastEviction = storage.LastEviction.Time
		}
	}
	if status.Cache != nil {
		shown.HitPercent = status.Cache.HitPercent
	}
	for _, was := range status.Upstreams {
		for _, is := range upstreams {
			if is.Name == was.Name && is.URL == was.URL {
				shown.Upstreams[is.Name] = proxies.Upstream{Reachable: was.Reachable, RateLimit: limitOf(was.RateLimit)}
			}
		}
	}
	return shown
}

// showFigures puts figures into a status that has the capacity as the cluster granted it, and the upstreams.
func showFigures(status *v1alpha1.RegistryHubStatus, shown proxies.Figures) {
	if shown.Capacity != 0 || shown.Objects != nil || !shown.LastEviction.IsZero() {
		if status.Storage == nil {
			status.Storage = &v1alpha1.StorageStatus{}
		}
		showStorage(status.Storage, shown)
	}
	status.Cache = nil
	if shown.HitPercent != nil {
		status.Cache = &v1alpha1.CacheStatus{HitPercent: shown.HitPercent}
	}
	for i := range status.Upstreams {
		upstream := &status.Upstreams[i]
		found := shown.Upstreams[upstream.Name]
		upstream.Reachable, upstream.RateLimit = found.Reachable, limitStatus(found.RateLimit)
	}
}

func showStorage(storage *v1alpha1.StorageStatus, shown proxies.Figures) {
	if shown.Capacity != 0 {
		storage.Capacity = resource.NewQuantity(shown.Capacity, resource.BinarySI)
		storage.Used = resource.NewQuantity(shown.Used, resource.BinarySI)
	}
	storage.Objects = shown.Objects
	if !shown.LastEviction.IsZero() {
		storage.LastEviction = new(metav1.NewTime(shown.LastEviction.Truncate(time.Second)))
	}
}
