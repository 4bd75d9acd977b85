package pullthrough

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/registryhub/registryhub/proxy/distspec"
	"github.com/registryhub/registryhub/proxy/rules"
)

// Others are hosts that are known when a request names them.
type Others interface {
	// Host is that host, or nil when the mirror does not stand for it. The name is a valid host in lower case.
	Host(name string) (*Host, error)
}

// Settings are what a Mirror can be given anew while it serves: Configure. Rules and Tags are required, and Hosts or Others.
type Settings struct {
	// Hosts, the first of which is meant by requests that name none.
	Hosts []Host
	// Others are asked for a host that is not among Hosts. Default: there are none.
	Others Others
	// Rules for manifests that an upstream has under another name.
	Rules *rules.Rules
	// Tags says how long which tag is believed.
	Tags *rules.Tags
	// StaleIfError is how much longer a tag is believed while the upstream is in trouble.
	StaleIfError time.Duration
	// Repositories says which are served. Default: all.
	Repositories rules.Repositories
	// Segments are what large blobs are fetched in. Default: one transfer for each blob.
	Segments Segments
	// HubUID is what canaries are made of. Default: none is answered.
	HubUID string
}

// settings are in force as a whole, and never change: a request keeps to those that it found.
type settings struct {
	Settings
	first *Host
	hosts map[string]*Host
}

// Configure takes settings into force, in the place of earlier ones, or refuses them as a whole. Requests and transfers
// under way end with what they began with; a transfer is joined by requests of the new settings too, so that it stays
// the only one of its blob. A host with the upstreams that it had stays the same host.
func (m *Mirror) Configure(given Settings) error {
	m.configuring.Lock()
	defer m.configuring.Unlock()
	next, err := m.resolve(given)
	if err != nil {
		return err
	}
	m.settings.Store(next)
	return nil
}

func (m *Mirror) resolve(given Settings) (*settings, error) {
	if len(given.Hosts) == 0 && given.Others == nil {
		return nil, errors.New("mirroring: no host is named")
	}
	next := &settings{Settings: given, hosts: map[string]*Host{}}
	for i := range given.Hosts {
		host := given.Hosts[i]
		if len(host.Upstreams) == 0 {
			return nil, fmt.Errorf("mirroring %s: it has no upstream", host.Name)
		}
		next.hosts[strings.ToLower(host.Name)] = m.asBefore(&host)
	}
	if len(given.Hosts) > 0 {
		next.first = next.hosts[strings.ToLower(given.Hosts[0].Name)]
	}
	return next, nil
}

// hostOf is the host that a request is for: the one that it names, or else the first.
func (s *settings) hostOf(namespace string) (*Host, error) {
	if namespace == "" && s.first == nil {
		return nil, distspec.NewError(http.StatusNotFound, distspec.CodeNameUnknown, "this hub stands for many registries: name the one that is meant, as containerd does, with ?ns=HOST")
	}
	if namespace == "" {
		return s.first, nil
	}
	host := s.hosts[namespace]
	var err error
	if host == nil && s.Others != nil {
		host, err = s.Others.Host(namespace)
	}
	if host == nil && err == nil {
		err = distspec.NewError(http.StatusNotFound, distspec.CodeNameUnknown, "this hub does not stand for the registry that ns names")
	}
	return host, err
}

// asBefore returns the host that is in force, where nothing of it changes: what goes on for it is known by it.
func (m *Mirror) asBefore(host *Host) *Host {
	if now := m.settings.Load(); now != nil {
		before := now.hosts[strings.ToLower(host.Name)]
		if before != nil && before.Name == host.Name && slices.Equal(before.Upstreams, host.Upstreams) {
			return before
		}
	}
	m.generation++
	host.generation = m.generation
	return host
}
