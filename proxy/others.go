package proxy

import (
	"container/list"
	"fmt"
	"slices"
	"sync"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy/pullthrough"
	"github.com/registryhub/registryhub/proxy/rules"
	"github.com/registryhub/registryhub/proxy/upstream"
)

// maxOthers is how many hosts are kept at once that were named by requests alone. Another one takes the place of the
// one that was asked for longest ago; what is in the store stays.
const maxOthers = 256

// others are the hosts that "*" stands for. Each is made when it is first asked for, and is its own upstream, asked
// without credentials. In metrics all of them are one upstream, "*": no request makes a series.
type others struct {
	patterns []string
	allowed  rules.Hosts
	reach    upstream.Reach

	mu    sync.Mutex
	hosts map[string]*list.Element // of *other
	order *list.List               // the last used first
}

type other struct {
	host   *pullthrough.Host
	client *upstream.Client
}

// renewed are those of a configuration: these, where it allows the same, and nil when it has no "*".
func (o *others) renewed(cfg *config.MirrorConfiguration) *others {
	if len(cfg.AllowedHosts) == 0 {
		return nil
	}
	if o != nil && slices.Equal(o.patterns, cfg.AllowedHosts) {
		return o
	}
	allowed := rules.HostsOf(cfg.AllowedHosts)
	return &others{patterns: cfg.AllowedHosts, allowed: allowed, reach: upstream.ReachOf(allowed.Listed()), hosts: map[string]*list.Element{}, order: list.New()}
}

// Host implements pullthrough.Others.
func (o *others) Host(name string) (*pullthrough.Host, error) {
	if !o.allowed.Allows(name) {
		return nil, nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if known, ok := o.hosts[name]; ok {
		o.order.MoveToFront(known)
		return known.Value.(*other).host, nil //nolint:forcetypeassert // The list holds nothing else.
	}
	client, err := upstream.NewWithin(o.reach, config.UpstreamConfiguration{
		Name: config.AnyHost, URL: config.DefaultUpstreamURL(name),
	}, timeoutsAmong(1))
	if err != nil {
		return nil, fmt.Errorf("mirroring %s: %w", name, err)
	}
	if o.order.Len() >= maxOthers {
		o.drop(o.order.Back())
	}
	made := &other{host: &pullthrough.Host{Name: name, Upstreams: []*upstream.Client{client}}, client: client}
	o.hosts[name] = o.order.PushFront(made)
	return made.host, nil
}

// drop forgets a host. Requests under way go on; their connections are closed when they are idle.
func (o *others) drop(e *list.Element) {
	gone := o.order.Remove(e).(*other) //nolint:forcetypeassert // As above.
	delete(o.hosts, gone.host.Name)
	gone.client.Close()
}

// close closes what is idle.
func (o *others) close() {
	if o == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.order.Len() > 0 {
		o.drop(o.order.Back())
	}
}
