package nodes

import (
	"cmp"
	"slices"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
)

// NextConfiguration is what all nodes should be told: pure, of what they were told, the highest revision that any
// of them reported, the hubs, the hosts that hubs lost to older ones, the images that hubs need to start, how many nodes there
// are, and the bundle that nodes trust ("": what they trust now). It returns present itself when there is nothing to change.
//
// The revision grows with every change, and an entry has that of its last change. A revision must never come twice
// with different content, so what was lost, or set back by hand, begins anew above all that was reported.
func NextConfiguration(present *configv1alpha1.NodeConfiguration, reported int64, hubs []v1alpha1.RegistryHub, conflicts map[string][]Conflict, needs []Need, nodes int, bundle string) *configv1alpha1.NodeConfiguration {
	trusted := present != nil && present.Revision >= reported
	floor := reported
	if present != nil {
		floor, bundle = max(floor, present.Revision), cmp.Or(bundle, present.CABundle)
	}
	next := &configv1alpha1.NodeConfiguration{Revision: floor + 1, CABundle: bundle, Hubs: nextEntries(present, hubs, conflicts, needs)}
	for i := range next.Hubs {
		next.Hubs[i].Revision = next.Revision
		if was := entryOf(present, next.Hubs[i]); trusted && was != nil && was.Revision <= present.Revision {
			next.Hubs[i].Revision = was.Revision
		}
		next.Hubs[i].CABundleRevision = bundleRevision(present, next.Hubs[i], next.Revision, trusted)
	}
	if present != nil {
		next.ProbeInterval = present.ProbeInterval
	}
	next.ProbeInterval = probeInterval(next.ProbeInterval, nodes)
	if trusted && sameContent(present, next) {
		return present
	}
	return next
}

func nextEntries(present *configv1alpha1.NodeConfiguration, hubs []v1alpha1.RegistryHub, conflicts map[string][]Conflict, needs []Need) []configv1alpha1.NodeHub {
	var entries []configv1alpha1.NodeHub
	for _, hub := range oldestFirst(hubs) {
		if _, err := selectorOf(hub); err != nil || !hub.DeletionTimestamp.IsZero() {
			continue
		}
		if entry := nextEntry(hub, FindEntry(present, hub), conflicts[hub.Name], RefusedFallback(hub, needs)); entry != nil {
			entries = append(entries, *entry)
		}
	}
	return entries
}

// bundleRevision is the revision at which an entry's own bundle came to be what it is; 0 for one that never had any.
func bundleRevision(present *configv1alpha1.NodeConfiguration, entry configv1alpha1.NodeHub, next int64, trusted bool) int64 {
	was := configv1alpha1.NodeHub{}
	if i := indexOf(present, entry.UID); i >= 0 {
		was = present.Hubs[i]
	}
	if was.CABundle == entry.CABundle && (was.CABundle == "" && was.CABundleRevision == 0 || trusted && was.CABundleRevision <= present.Revision) {
		return was.CABundleRevision
	}
	return next
}

func indexOf(configuration *configv1alpha1.NodeConfiguration, uid string) int {
	if configuration == nil {
		return -1
	}
	return slices.IndexFunc(configuration.Hubs, func(was configv1alpha1.NodeHub) bool { return was.UID == uid })
}

// entryOf is the present entry that means the same as this one.
func entryOf(present *configv1alpha1.NodeConfiguration, entry configv1alpha1.NodeHub) *configv1alpha1.NodeHub {
	i := indexOf(present, entry.UID)
	if i < 0 || !SameWiring(present.Hubs[i], entry) {
		return nil
	}
	return &present.Hubs[i]
}

// sameContent says whether two configurations mean the same, whatever their revisions.
func sameContent(a, b *configv1alpha1.NodeConfiguration) bool {
	return a.CABundle == b.CABundle && sameEntries(a.Hubs, b.Hubs) && sameProbeInterval(a, b)
}

func sameEntries(a, b []configv1alpha1.NodeHub) bool {
	return slices.EqualFunc(a, b, func(x, y configv1alpha1.NodeHub) bool {
		return x.Revision == y.Revision && SameWiring(x, y) && x.CABundle == y.CABundle && x.CABundleRevision == y.CABundleRevision
	})
}
