package nodes

import (
	"slices"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
)

// InForce are the hubs with those that are suspended as the nodes were told of them: what such a hub's spec says since does
// not count, neither against other hubs nor against images. One that nodes were not told of claims nothing.
func InForce(hubs []v1alpha1.RegistryHub, present *configv1alpha1.NodeConfiguration) []v1alpha1.RegistryHub {
	standing := slices.Clone(hubs)
	for i := range standing {
		hub := &standing[i]
		if !hub.Spec.Suspend {
			continue
		}
		told := configv1alpha1.NodeHub{}
		if entry := FindEntry(present, hub); entry != nil {
			told = *entry
		}
		hub.Spec.Hosts = registryHosts(told.Hosts)
		hub.Spec.Nodes.Selector = told.Selector
		hub.Spec.Nodes.Fallback = v1alpha1.NodeFallback(told.Fallback)
	}
	return standing
}

func registryHosts(hosts []string) []v1alpha1.RegistryHost {
	list := make([]v1alpha1.RegistryHost, 0, len(hosts))
	for _, host := range hosts {
		list = append(list, v1alpha1.RegistryHost(host))
	}
	return list
}

// suspendedEntry is what nodes have of a hub, less what an older hub has of it now, and with its fallback where it must not
// be without: two hubs for a host, or a node that cannot start, are worse than a hub that is not left quite as it was.
//
// Its certificate is renewed all the same, and nodes trust who issues it.
func suspendedEntry(hub *v1alpha1.RegistryHub, present *configv1alpha1.NodeHub, conflicts []Conflict, refused []Need) *configv1alpha1.NodeHub {
	if present == nil {
		return nil
	}
	entry := *present
	entry.CABundle = ownBundle(hub, present.Endpoint)
	entry.Hosts = slices.DeleteFunc(slices.Clone(present.Hosts), func(host string) bool {
		return slices.ContainsFunc(conflicts, func(c Conflict) bool { return c.Host == host })
	})
	if len(refused) > 0 {
		entry.Fallback = ""
	}
	if len(entry.Hosts) == 0 {
		return nil
	}
	return &entry
}
