package nodeagent

import (
	"maps"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/controllers/nodeagent/certsd"
)

// bringAbout makes the files what they should be. With a hub for every other host, the hosts that would be hidden by it are
// found first; where they cannot be, it is taken out of the files.
func (k *keeper) bringAbout(w wiring, files map[string]certsd.Files) (certsd.Result, error) {
	var unsafe error
	desired := certsd.Desired{Hosts: files, Adopt: k.adopters(w), Lasting: w.lasting(files)}
	if files[configv1alpha1.AnyHost] != nil {
		if desired.Elsewhere, unsafe = k.roots.hosts(); unsafe != nil {
			delete(files, configv1alpha1.AnyHost)
		}
	}
	result, err := k.files.Reconcile(desired)
	if unsafe != nil {
		result.Failed[configv1alpha1.AnyHost] = unsafe
		return result, err
	}
	result.Theirs = joined(desired.Elsewhere, result.Theirs)
	return result, err
}

func joined(one, other map[string]string) map[string]string {
	all := maps.Clone(one)
	if all == nil {
		return other
	}
	maps.Copy(all, other)
	return all
}

// bypassing says of hosts which the hub for every other host may stand for that somebody else's directory keeps them from it.
// Those of other hubs are theirs to tell of.
func (w wiring) bypassing(inForce map[string]certsd.Files, theirs map[string]string) map[string]error {
	if inForce[configv1alpha1.AnyHost] == nil {
		return nil
	}
	allowed := w.entries[w.hubs[configv1alpha1.AnyHost]].AllowedHosts
	bypassing := map[string]error{}
	for host, directory := range theirs {
		if w.hubs[host] == "" && configv1alpha1.HostAllowed(allowed, host) {
			bypassing[host] = &certsd.ForeignError{Host: host, Path: directory, What: "a directory"}
		}
	}
	return bypassing
}

// hubOf is the hub that has a host, or would have it.
func (w wiring) hubOf(host string) string {
	if hub, own := w.hubs[host]; own {
		return hub
	}
	return w.hubs[configv1alpha1.AnyHost]
}
