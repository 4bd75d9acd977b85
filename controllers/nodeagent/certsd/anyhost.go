package certsd

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// AnyHost is every host that has no directory of its own. defaultName is the directory that containerd has for them.
const (
	AnyHost     = "*"
	defaultName = "_default"
)

// HostOf is the host that containerd finds in a directory of this name: the other way round of Names.
func HostOf(name string) string {
	cut, underscored := strings.CutSuffix(name, "_")
	at := strings.LastIndex(cut, "_")
	if !underscored || at <= 0 {
		return name
	}
	return cut[:at] + ":" + cut[at+1:]
}

// shelter gives hosts a link to the directory that they have elsewhere, which would be hidden by what AnyHost is to have. It
// is ours like any other, and dangles after a reboot as that of AnyHost does. A host that has a directory here needs none.
func (p *pass) shelter(elsewhere map[string]string, wanted map[string]placing) {
	if _, needed := wanted[AnyHost]; !needed {
		return
	}
	for host, directory := range elsewhere {
		if _, own := wanted[host]; !own && isName(host) && p.foreign(host) == nil {
			wanted[host] = placing{directory: directory, on: p.run}
		}
	}
}

// placeAll leads each host to what it is to have, and AnyHost last: nothing may be hidden by it on the way.
func (p *pass) placeAll(wanted map[string]placing, elsewhere map[string]string, failed map[string]error) (written []string) {
	for _, host := range anyHostLast(slices.Sorted(maps.Keys(wanted))) {
		placed, err := p.placeUnlessItHides(elsewhere, host, wanted[host], failed)
		if placed {
			written = append(written, host)
		}
		if err != nil {
			failed[host] = err
		}
	}
	return written
}

// placeUnlessItHides leads a host to what it is to have. Where AnyHost would hide a directory elsewhere, what is there of it is
// taken away instead.
func (p *pass) placeUnlessItHides(elsewhere map[string]string, host string, wanted placing, failed map[string]error) (bool, error) {
	if host != AnyHost {
		return p.place(host, wanted)
	}
	for _, hidden := range slices.Sorted(maps.Keys(elsewhere)) {
		if err := failed[hidden]; err != nil && p.foreign(hidden) == nil {
			return false, errors.Join(fmt.Errorf("not wiring %s, which would hide %s: %w", defaultName, elsewhere[hidden], err), p.withdrawDefault())
		}
	}
	return p.place(host, wanted)
}

func (p *pass) withdrawDefault() error {
	if !p.entries[defaultName].ours() {
		return nil
	}
	return p.unlink(defaultName)
}

func anyHostLast(hosts []string) []string {
	return append(without(hosts, []string{AnyHost}), among(hosts, AnyHost)...)
}

// defaultFirst: what it would hide must not be taken away before it.
func defaultFirst(names []string) []string {
	return append(among(names, defaultName), without(names, []string{defaultName})...)
}

func among(all []string, one string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(other string) bool { return other != one })
}

// theirs are the directories that somebody else made here, by host.
func (p *pass) theirs() map[string]string {
	var found map[string]string
	for _, name := range slices.Sorted(maps.Keys(p.entries)) {
		if !p.entries[name].directory {
			continue
		}
		if found == nil {
			found = map[string]string{}
		}
		found[HostOf(name)] = filepath.Join(p.certs.Name(), name)
	}
	return found
}
