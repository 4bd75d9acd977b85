package nodeagent

import (
	"fmt"
	"time"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/nodeagent/certsd"
	"github.com/registryhub/registryhub/controllers/nodeagent/hoststoml"
	"github.com/registryhub/registryhub/controllers/nodeagent/probe"
)

// reportAfter is how long a hub must be missing before that is reported. Its files are withdrawn at once: what a
// roll-out of a proxy does to a node's pulls lasts seconds, and must not flap the status of a hub.
const reportAfter = time.Minute

// health is what is known of the hubs that are asked.
type health map[probe.Target]probe.Health

func (h health) of(hub configv1alpha1.NodeHub) probe.Health { return h[targetOf(hub)] }

func targetOf(hub configv1alpha1.NodeHub) probe.Target {
	return probe.Target{Hub: hub.Name, Endpoint: hub.Endpoint}
}

// targets are the hubs that this node has hosts of.
func (w wiring) targets() []probe.Target {
	var targets []probe.Target
	for _, hub := range w.entries {
		targets = append(targets, targetOf(hub))
	}
	return targets
}

// inForce are the files that the node is to have now: those of hubs that answer, and of those that stay in any case. Of a
// hub that is not known yet, as after the agent's start, what held gives is kept, if it leads to that hub: whatever
// was written once was alive.
func (w wiring) inForce(known health, held func(host string) certsd.Files) map[string]certsd.Files {
	files := map[string]certsd.Files{}
	for host, wanted := range w.files {
		hub := w.entries[w.hubs[host]]
		switch state := known.of(hub).State; {
		case state == probe.Alive, hub.Stays():
			files[host] = wanted
		case state == probe.Unknown:
			switch kept := held(host); {
			case !leadsTo(kept, hub.Name):
			case hub.AdoptForeign:
				files[host] = wanted // what is held has theirs in it
			default:
				files[host] = kept
			}
		}
	}
	w.keepStaying(files, held)
	return files
}

func leadsTo(files certsd.Files, hub string) bool {
	owner, ours := hoststoml.Owner(files[hostsFile])
	return ours && owner == hub
}

// unreachableError says that a hub does not answer the node. It reads the same for as long as that lasts.
type unreachableError struct {
	hub   configv1alpha1.NodeHub
	cause string
	// said before, by an agent that knew the cause.
	said string
}

// Error says what to do about it.
func (e *unreachableError) Error() string {
	if e.said != "" {
		return e.said
	}
	meanwhile := "pulls go past it, to the upstream"
	if e.hub.Stays() {
		meanwhile = "pulls of its hosts fail"
	}
	return fmt.Sprintf("hub %s does not answer this node at %s: %s; until it does, %s: see that its proxy runs "+
		"(kubectl describe registryhub %s) and that nothing between this node and its Service drops packets",
		e.hub.Name, e.hub.Endpoint, e.cause, meanwhile, e.hub.Name)
}

// unreachable are the hosts of the hubs that have been missing for long enough to say so, or of which it was said in the
// report before, as by the agent that ran before this one.
func (o outcome) unreachable(previous v1alpha1.NodeMirrorStatus, now time.Time) map[string]error {
	missing := map[string]error{}
	for host, name := range o.wired.hubs {
		hub := o.wired.entries[name]
		health := o.health.of(hub)
		if health.State == probe.Alive {
			continue
		}
		said := saidUnreachable(previous, name)
		switch {
		case health.State == probe.Dead && now.Sub(health.Missing) >= reportAfter:
			missing[host] = &unreachableError{hub: hub, cause: health.Cause}
		case said != nil:
			missing[host] = &unreachableError{hub: hub, said: said.Message}
		}
	}
	return missing
}

func saidUnreachable(previous v1alpha1.NodeMirrorStatus, hub string) *v1alpha1.NodeException {
	for i, exception := range previous.Exceptions {
		if exception.Hub == hub && exception.Reason == v1alpha1.NodeReasonHubUnreachable {
			return &previous.Exceptions[i]
		}
	}
	return nil
}
