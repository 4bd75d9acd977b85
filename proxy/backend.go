package proxy

import (
	"fmt"
	"time"

	"github.com/go-logr/logr"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy/evict"
	"github.com/registryhub/registryhub/proxy/evict/sweep"
	"github.com/registryhub/registryhub/proxy/metrics"
	"github.com/registryhub/registryhub/proxy/pullthrough"
	"github.com/registryhub/registryhub/proxy/rules"
	"github.com/registryhub/registryhub/proxy/store/fsstore"
	"github.com/registryhub/registryhub/proxy/upstream"
)

// upstreamTimeouts are shorter than what a client is made to wait, so that there is time to ask the next upstream.
var upstreamTimeouts = upstream.Timeouts{Dial: 3 * time.Second, TLS: 5 * time.Second, Header: 8 * time.Second, Token: 8 * time.Second, Idle: 30 * time.Second}

// backend is what the server serves.
type backend struct {
	mirror    *pullthrough.Mirror
	sweeper   *sweep.Sweeper
	observer  *observer
	upstreams map[config.UpstreamConfiguration]*upstream.Client
	others    *others // nil where "*" is not among the hosts
}

func newBackend(cfg *config.ProxyConfiguration, logger logr.Logger, figures *metrics.Metrics) (*backend, error) {
	compiled, err := rules.Compile(cfg.Mirror.FallbackRules)
	if err != nil {
		return nil, err
	}
	tags, err := rules.CompileTags(cfg.Mirror.Tags)
	if err != nil {
		return nil, err
	}
	repositories, err := rules.CompileRepositories(cfg.Mirror.Repositories)
	if err != nil {
		return nil, err
	}
	content, err := fsstore.Open(cfg.Store.Directory)
	if err != nil {
		return nil, err
	}
	b := &backend{observer: newObserver(cfg.Hub, logger, figures), others: othersOf(cfg.Mirror)}
	hosts, err := b.hosts(cfg.Mirror.Hosts)
	if err != nil {
		b.closeUpstreams()
		return nil, err
	}
	b.sweeper = sweep.New(sweep.Options{
		Hub: cfg.Hub, Store: content, Policy: policy(cfg.Store.Eviction), Logger: logger, Metrics: figures,
	})
	options := pullthrough.Options{
		Hub:          cfg.Hub,
		Hosts:        hosts,
		Rules:        compiled,
		Store:        content,
		Full:         b.sweeper.Kick,
		Tags:         tags,
		Repositories: repositories,
		Segments:     pullthrough.Segments{Size: cfg.Mirror.Segments.Size.Value(), Parallel: int(*cfg.Mirror.Segments.Parallel)},
		StaleIfError: cfg.Mirror.Tags.StaleIfError.Duration,
		Logger:       logger,
		Metrics:      figures,
	}
	if b.others != nil {
		options.Others = b.others
	}
	b.mirror, err = pullthrough.New(options)
	if err != nil {
		b.closeUpstreams()
		return nil, err
	}
	return b, nil
}

// policy is what the store is held to; defaults are filled in.
func policy(eviction config.EvictionConfiguration) evict.Policy {
	p := evict.Policy{HighWatermarkPercent: *eviction.HighWatermarkPercent, LowWatermarkPercent: *eviction.LowWatermarkPercent}
	if eviction.MaxIdle != nil {
		p.MaxIdle = eviction.MaxIdle.Duration
	}
	return p
}

func (b *backend) hosts(configured []config.MirrorHost) ([]pullthrough.Host, error) {
	hosts := make([]pullthrough.Host, 0, len(configured))
	for _, c := range configured {
		if c.Host == config.AnyHost {
			continue // its hosts are made when they are asked for
		}
		host := pullthrough.Host{Name: c.Host}
		for _, each := range c.Upstreams {
			client, err := b.client(each)
			if err != nil {
				return nil, fmt.Errorf("mirroring %s: %w", c.Host, err)
			}
			host.Upstreams = append(host.Upstreams, client)
		}
		hosts = append(hosts, host)
	}
	return hosts, nil
}

// client is the one client of an upstream, whichever hosts have it: its tokens, its circuit and its pauses are one.
func (b *backend) client(configured config.UpstreamConfiguration) (*upstream.Client, error) {
	if client, found := b.upstreams[configured]; found {
		return client, nil
	}
	client, err := upstream.New(configured, upstreamTimeouts, b.observer)
	if err != nil {
		return nil, err
	}
	if b.upstreams == nil {
		b.upstreams = map[config.UpstreamConfiguration]*upstream.Client{}
	}
	b.upstreams[configured] = client
	return client, nil
}

func (b *backend) close() {
	b.mirror.Close()
	b.closeUpstreams()
}

func (b *backend) closeUpstreams() {
	if b.others != nil {
		b.others.close()
	}
	for _, client := range b.upstreams {
		client.Close()
	}
}
