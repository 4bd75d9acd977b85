package nodes

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/registryhub/registryhub/api/v1alpha1"
)

// Conflict is a host that a hub does not have, since an older hub has it on a node that both select.
type Conflict struct {
	Host  string
	Older string
}

// claim is one hub's hold on one host.
type claim struct {
	hub      string
	selector labels.Selector
}

// Conflicts says, by hub, which hosts it does not have: the older of two hubs that claim one host on the same
// nodes keeps it. Two that select the same by the same words conflict before there are nodes. A hub that is being
// deleted claims nothing, nor does one whose selector cannot be read.
func Conflicts(hubs []v1alpha1.RegistryHub, nodes []Node) map[string][]Conflict {
	conflicts := map[string][]Conflict{}
	held := map[v1alpha1.RegistryHost][]claim{}
	for _, hub := range oldestFirst(hubs) {
		selector, err := selectorOf(hub)
		if err != nil || !hub.DeletionTimestamp.IsZero() {
			continue
		}
		for _, host := range hub.Spec.Hosts {
			wanted := claim{hub: hub.Name, selector: selector}
			if holder, found := contested(held[host], wanted, nodes); found {
				conflicts[hub.Name] = append(conflicts[hub.Name], Conflict{Host: string(host), Older: holder})
				continue
			}
			held[host] = append(held[host], wanted)
		}
	}
	for _, list := range conflicts {
		slices.SortFunc(list, func(a, b Conflict) int { return strings.Compare(a.Host, b.Host) })
	}
	return conflicts
}

func contested(held []claim, wanted claim, nodes []Node) (holder string, found bool) {
	for _, older := range held {
		if overlap(older.selector, wanted.selector, nodes) {
			return older.hub, true
		}
	}
	return "", false
}

func overlap(a, b labels.Selector, nodes []Node) bool {
	return a.String() == b.String() || slices.ContainsFunc(nodes, func(node Node) bool {
		return a.Matches(node.Labels) && b.Matches(node.Labels)
	})
}

// oldestFirst sorts by age, and by name among those of one second.
func oldestFirst(hubs []v1alpha1.RegistryHub) []*v1alpha1.RegistryHub {
	sorted := make([]*v1alpha1.RegistryHub, 0, len(hubs))
	for i := range hubs {
		sorted = append(sorted, &hubs[i])
	}
	slices.SortFunc(sorted, func(a, b *v1alpha1.RegistryHub) int {
		if order := a.CreationTimestamp.Compare(b.CreationTimestamp.Time); order != 0 {
			return order
		}
		return strings.Compare(a.Name, b.Name)
	})
	return sorted
}
