package nodeagent

import (
	"cmp"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/nodeagent/certsd"
	"github.com/registryhub/registryhub/controllers/nodeagent/hoststoml"
)

// wiring is what a configuration means for one node.
type wiring struct {
	revision int64
	interval time.Duration
	// files of each host.
	files map[string]certsd.Files
	// adopt are the hosts that may have somebody else's files behind the hub, and what is to stand in front.
	adopt map[string]hoststoml.File
	// stay are the hosts of hubs that stay on the node, whose files a reboot must leave, and what those say.
	stay map[string]hoststoml.File
	// hubs that have the hosts: host -> hub.
	hubs map[string]string
	// entries of those hubs: hub -> what the configuration says of it.
	entries map[string]configv1alpha1.NodeHub
	// refused are the hosts whose file could not be rendered; they go to the upstream.
	refused map[string]error
}

// wire chooses the hubs for a node with these labels. Of two that claim one host the first has it.
func wire(configuration *configv1alpha1.NodeConfiguration, node labels.Set, tls tlsPaths, understood syntax) wiring {
	w := wiring{
		revision: configuration.Revision, interval: configuration.ProbeInterval.Duration,
		files: map[string]certsd.Files{}, adopt: map[string]hoststoml.File{}, stay: map[string]hoststoml.File{}, hubs: map[string]string{},
		entries: map[string]configv1alpha1.NodeHub{}, refused: map[string]error{},
	}
	for _, hub := range configuration.Hubs {
		if !selects(hub.Selector, node) {
			continue
		}
		file, err := fileOf(hub, tls)
		file = understood.write(file)
		for _, host := range hub.Hosts {
			w.add(hub, host, file, err)
		}
	}
	return w
}

// selects: no selector is every node. One that cannot be read was refused with the configuration.
func selects(selector *metav1.LabelSelector, node labels.Set) bool {
	if selector == nil {
		return true
	}
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && parsed.Matches(node)
}

func fileOf(hub configv1alpha1.NodeHub, tls tlsPaths) (hoststoml.File, error) {
	mirror, err := tls.mirror(hub)
	file := hoststoml.File{Hub: hub.Name, Revision: hub.Revision, Mirrors: []hoststoml.Mirror{mirror}}
	if hub.Stays() {
		file.Server = hub.Endpoint
	}
	return file, err
}

func (w wiring) add(hub configv1alpha1.NodeHub, host string, file hoststoml.File, err error) {
	if _, taken := w.hubs[host]; taken {
		return
	}
	w.hubs[host] = hub.Name
	w.entries[hub.Name] = hub
	data, unwritable := []byte(nil), err
	if err == nil {
		data, unwritable = hoststoml.Encode(file)
	}
	if unwritable != nil {
		w.refused[host] = unwritable
		return
	}
	w.files[host] = certsd.Files{hostsFile: data}
	if hub.AdoptForeign {
		w.adopt[host] = file
	}
	if hub.Stays() {
		w.stay[host] = file
	}
}

// Limits of NodeMirror's status.
const (
	maxExceptions = 64
	maxMessage    = 1024
)

// exceptions are the hosts that are not wired, sorted by hub, then host. Of two reasons for one host the first counts.
func (w wiring) exceptions(unwired ...map[string]error) []v1alpha1.NodeException {
	var all []v1alpha1.NodeException
	told := map[string]bool{}
	for _, errs := range append([]map[string]error{w.refused}, unwired...) {
		for host, err := range errs {
			if !told[host] {
				all = append(all, exception(w.hubOf(host), host, err))
			}
			told[host] = true
		}
	}
	slices.SortFunc(all, func(a, b v1alpha1.NodeException) int {
		return cmp.Or(cmp.Compare(a.Hub, b.Hub), cmp.Compare(a.Host, b.Host))
	})
	return all[:min(len(all), maxExceptions)]
}

func exception(hub, host string, err error) v1alpha1.NodeException {
	return v1alpha1.NodeException{Hub: hub, Host: host, Reason: reasonOf(err), Message: bounded(err.Error())}
}

// bounded counts characters, as the API does.
func bounded(message string) string {
	characters := []rune(message)
	return string(characters[:min(len(characters), maxMessage)])
}
