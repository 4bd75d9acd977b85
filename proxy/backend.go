package proxy

import (
	"errors"
	"sync"

	"github.com/go-logr/logr"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy/metrics"
	"github.com/registryhub/registryhub/proxy/prewarm"
	"github.com/registryhub/registryhub/proxy/pullthrough"
	"github.com/registryhub/registryhub/proxy/rules"
	"github.com/registryhub/registryhub/proxy/store/recent"
)

// backend is what the server serves. The store, the transfers and its upkeep are there from its beginning to its end;
// everything else can be configured anew.
type backend struct {
	mirror   *pullthrough.Mirror
	content  content
	upkeep   *upkeep
	warmer   *prewarm.Warmer
	observer *observer

	mu      sync.Mutex
	clients clients
	others  *others // nil where "*" is not among the hosts
	closed  bool
}

func newBackend(cfg *config.ProxyConfiguration, logger logr.Logger, figures *metrics.Metrics) (*backend, error) {
	content, err := openContent(cfg.Store)
	if err != nil {
		return nil, err
	}
	b := &backend{
		observer: newObserver(cfg.Hub, logger, figures), content: content,
		upkeep: newUpkeep(cfg.Hub, content.Store, cfg.Store, logger, figures),
	}
	err = b.renew(cfg, func(settings pullthrough.Settings) error {
		b.mirror, err = pullthrough.New(pullthrough.Options{
			Hub: cfg.Hub, Store: recent.New(content.Store, recent.Options{}), Full: b.upkeep.full, Failed: b.upkeep.failed, Logger: logger, Metrics: figures,
		}, settings)
		return err
	})
	b.warmer = prewarm.New(prewarm.Options{Hub: cfg.Hub, Puller: b.mirror, Full: b.upkeep.isFull, Logger: logger}, cfg.Mirror.Prewarm)
	return b, err
}

var errDraining = errors.New("taking a configuration into force: the proxy drains")

// configure takes a configuration into force, or refuses it as a whole. What cannot change while it runs must be as it was.
func (b *backend) configure(cfg *config.ProxyConfiguration) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return errDraining
	}
	if err := b.renew(cfg, b.mirror.Configure); err != nil {
		return err
	}
	b.content.configure(cfg.Store)
	b.upkeep.configure(cfg.Store)
	b.warmer.Configure(cfg.Mirror.Prewarm)
	return nil
}

// renew makes settings of a configuration, with the clients there are and those that it lacks, and has them taken. Clients
// of upstreams that are not named any more are closed, which lets their requests end.
func (b *backend) renew(whole *config.ProxyConfiguration, take func(pullthrough.Settings) error) error {
	cfg := whole.Mirror
	settings, err := settingsOf(cfg)
	if err != nil {
		return err
	}
	settings.HubUID = whole.HubUID
	wanted, unnamed := clients{}, b.others.renewed(cfg)
	if unnamed != nil {
		settings.Others = unnamed
	}
	if settings.Hosts, err = wanted.hosts(cfg.Hosts, b.clients, b.observer); err == nil {
		err = take(settings)
	}
	if err != nil {
		wanted.closeBut(b.clients)
		return err
	}
	b.clients.closeBut(wanted)
	if b.others != unnamed {
		b.others.close()
	}
	b.clients, b.others = wanted, unnamed
	return nil
}

// settingsOf are the settings but the hosts.
func settingsOf(cfg *config.MirrorConfiguration) (settings pullthrough.Settings, err error) {
	settings.StaleIfError = cfg.Tags.StaleIfError.Duration
	settings.Segments = pullthrough.Segments{Size: cfg.Segments.Size.Value(), Parallel: int(*cfg.Segments.Parallel)}
	if settings.Rules, err = rules.Compile(cfg.FallbackRules); err != nil {
		return settings, err
	}
	if settings.Tags, err = rules.CompileTags(cfg.Tags); err != nil {
		return settings, err
	}
	settings.Repositories, err = rules.CompileRepositories(cfg.Repositories)
	return settings, err
}

func (b *backend) close() {
	b.mirror.Close()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.clients.closeBut(nil)
	b.others.close()
	b.content.close()
}
