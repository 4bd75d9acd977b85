package proxy

import (
	"fmt"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy/pullthrough"
	"github.com/registryhub/registryhub/proxy/upstream"
)

// clients of upstreams, by what they are made of: hosts that have the same upstream among as many share its connections and
// tokens, and so do a configuration and the next.
type clients map[asked]*upstream.Client

// asked is an upstream, and how long it has to answer.
type asked struct {
	config.UpstreamConfiguration
	timeouts upstream.Timeouts
}

// hosts makes the hosts of a configuration, and adds the clients that they have. Those that exist are taken from there.
func (c clients) hosts(configured []config.MirrorHost, existing clients, told *observer) ([]pullthrough.Host, error) {
	hosts := make([]pullthrough.Host, 0, len(configured))
	for _, one := range configured {
		if one.Host == config.AnyHost {
			continue // its hosts are made when they are asked for
		}
		host := pullthrough.Host{Name: one.Host}
		for _, each := range one.Upstreams {
			client, err := c.client(asked{each, timeoutsAmong(len(one.Upstreams))}, existing, told)
			if err != nil {
				return nil, fmt.Errorf("mirroring %s: %w", one.Host, err)
			}
			host.Upstreams = append(host.Upstreams, client)
		}
		hosts = append(hosts, host)
	}
	return hosts, nil
}

func (c clients) client(wanted asked, existing clients, told *observer) (*upstream.Client, error) {
	client, found := c[wanted]
	if !found {
		client, found = existing[wanted]
	}
	if !found {
		var err error
		if client, err = upstream.New(wanted.UpstreamConfiguration, wanted.timeouts, told); err != nil {
			return nil, err
		}
	}
	c[wanted] = client
	return client, nil
}

// announce has each tell whether its upstream is asked.
func (c clients) announce() {
	for _, client := range c {
		client.Announce()
	}
}

// closeBut closes those that are not among the kept.
func (c clients) closeBut(kept clients) {
	for each, client := range c {
		if kept[each] != client {
			client.Close()
		}
	}
}
