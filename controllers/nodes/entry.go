package nodes

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/internal/conditions"
	"github.com/registryhub/registryhub/controllers/internal/pki"
	"github.com/registryhub/registryhub/controllers/resources"
)

// WantedEntry is what the nodes should be told of a hub at this endpoint: all but the revision. Its hosts are
// those that no older hub has; there may be none left. Its fallback is the upstream where None is refused.
func WantedEntry(hub *v1alpha1.RegistryHub, endpoint string, conflicts []Conflict, refused []Need) configv1alpha1.NodeHub {
	return configv1alpha1.NodeHub{
		Name:              hub.Name,
		UID:               string(hub.UID),
		Hosts:             uncontested(hub, conflicts),
		AllowedHosts:      resources.AllowedHosts(hub),
		Endpoint:          endpoint,
		ClientCertificate: resources.PullAccess(hub) == v1alpha1.PullNodes && strings.HasPrefix(endpoint, "https:"),
		CABundle:          ownBundle(hub, endpoint),
		DialTimeout:       hub.Spec.Nodes.DialTimeout,
		Selector:          hub.Spec.Nodes.Selector,
		AdoptForeign:      hub.Spec.Nodes.ForeignConfig == v1alpha1.ForeignConfigAdopt,
		Fallback:          fallback(hub, refused),
	}
}

// ownBundle is what nodes trust for a hub alone. It grows before the hub shows what it is needed for. A status that somebody
// damaged gives none: nodes refuse all of a configuration that holds what is no bundle.
func ownBundle(hub *v1alpha1.RegistryHub, endpoint string) string {
	if hub.Status.Certificate == nil || !strings.HasPrefix(endpoint, "https:") {
		return ""
	}
	return string(pki.JoinBundles([]byte(hub.Status.Certificate.CABundle)))
}

// fallback is left out for Upstream: an entry that was written before there was a choice stays as it is.
func fallback(hub *v1alpha1.RegistryHub, refused []Need) configv1alpha1.NodeFallback {
	if hub.Spec.StaysOnNodes() && len(refused) == 0 {
		return configv1alpha1.NodeFallbackNone
	}
	return ""
}

func uncontested(hub *v1alpha1.RegistryHub, conflicts []Conflict) []string {
	var hosts []string
	for _, host := range hub.Spec.Hosts {
		lost := slices.ContainsFunc(conflicts, func(c Conflict) bool { return c.Host == string(host) })
		if !lost {
			hosts = append(hosts, string(host))
		}
	}
	slices.Sort(hosts) // a set in the spec: its order must not matter to the nodes
	return hosts
}

// SameWiring says whether two entries lead a node the same way, whatever their revisions, and whoever it trusts there.
func SameWiring(a, b configv1alpha1.NodeHub) bool {
	a.Revision, a.CABundle, a.CABundleRevision = 0, "", 0
	b.Revision, b.CABundle, b.CABundleRevision = 0, "", 0
	return equality.Semantic.DeepEqual(a, b)
}

// FindEntry is what a NodeConfiguration says of a hub; nil when it says nothing of it. An entry of an earlier hub
// of the same name is not this hub's.
func FindEntry(configuration *configv1alpha1.NodeConfiguration, hub *v1alpha1.RegistryHub) *configv1alpha1.NodeHub {
	if configuration == nil {
		return nil
	}
	for i := range configuration.Hubs {
		if configuration.Hubs[i].UID == string(hub.UID) {
			return &configuration.Hubs[i]
		}
	}
	return nil
}

// nextEntry is the entry that a hub should have, without the revision; nil for none.
//
// New wiring goes out only while the proxy serves with the configuration of this very spec: a node must not be led
// to a proxy that does not know the host yet. Until then, and while the proxy is down for a moment, what the nodes
// have stays in force, less the hosts that the hub does not have any more.
func nextEntry(hub *v1alpha1.RegistryHub, present *configv1alpha1.NodeHub, conflicts []Conflict, refused []Need) *configv1alpha1.NodeHub {
	if hub.Spec.Suspend {
		return suspendedEntry(hub, present, conflicts, refused)
	}
	wanted := WantedEntry(hub, hub.Status.Endpoint, conflicts, refused)
	if !serves(hub) {
		if present == nil || !awaits(hub, present, &wanted) {
			return nil
		}
		wanted.Hosts = slices.DeleteFunc(wanted.Hosts, func(host string) bool {
			return !slices.Contains(present.Hosts, host)
		})
	}
	if wanted.Endpoint == "" || len(wanted.Hosts) == 0 {
		return nil
	}
	return &wanted
}

// serves says whether a hub's proxy serves what its present spec says.
func serves(hub *v1alpha1.RegistryHub) bool {
	return conditions.IsTrue(hub.Status.Conditions, v1alpha1.ConditionProxyAvailable, hub.Generation)
}

// awaits makes what is wanted of a hub whose proxy does not serve go with what the nodes have, and says whether it can. The
// upstream is not taken from the nodes meanwhile; they get it back at once, and they show the certificate that they showed. A
// hub without fallback that has moved stays where it was: withdrawn, it would let pulls past; so does one that is served there.
func awaits(hub *v1alpha1.RegistryHub, present, wanted *configv1alpha1.NodeHub) bool {
	if !present.Stays() {
		wanted.Fallback = present.Fallback
	}
	former := hub.Status.FormerEndpoint
	served := former != nil && former.URL == present.Endpoint
	if present.Endpoint != wanted.Endpoint && !wanted.Stays() && !served {
		return false
	}
	if present.Endpoint != wanted.Endpoint || present.ClientCertificate {
		wanted.ClientCertificate = present.ClientCertificate
	}
	wanted.Endpoint, wanted.CABundle = present.Endpoint, ownBundle(hub, present.Endpoint)
	return true
}
