package proxy

import (
	"context"
	"net/http"
	"sync"

	"github.com/go-logr/logr"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy/metrics"
	"github.com/registryhub/registryhub/proxy/prewarm"
	"github.com/registryhub/registryhub/proxy/pullthrough"
	"github.com/registryhub/registryhub/proxy/rules"
	"github.com/registryhub/registryhub/proxy/store"
	"github.com/registryhub/registryhub/proxy/store/recent"
)

// mirrorEngine makes a store a pull-through cache. The transfers are there from its beginning to its end.
type mirrorEngine struct {
	mirror   *pullthrough.Mirror
	warmer   *prewarm.Warmer
	observer *observer

	mu      sync.Mutex
	clients clients
	others  *others // nil where "*" is not among the hosts
}

func newMirrorEngine(cfg *config.ProxyConfiguration, content store.Store, upkeep *upkeep, logger logr.Logger, figures *metrics.Metrics) (*mirrorEngine, error) {
	e := &mirrorEngine{observer: newObserver(cfg.Hub, logger, figures)}
	err := e.renew(cfg, func(settings pullthrough.Settings) (err error) {
		e.mirror, err = pullthrough.New(pullthrough.Options{
			Hub: cfg.Hub, Store: recent.New(content, recent.Options{}), Keeps: upkeep.keeps, Full: upkeep.full, Failed: upkeep.failed,
			Logger: logger, Metrics: figures,
		}, settings)
		return err
	})
	if err != nil {
		return nil, err
	}
	e.warmer = prewarm.New(prewarm.Options{Hub: cfg.Hub, Puller: e.mirror, Full: upkeep.isFull, Logger: logger}, cfg.Mirror.Prewarm)
	return e, nil
}

// ServeHTTP implements http.Handler.
func (e *mirrorEngine) ServeHTTP(w http.ResponseWriter, r *http.Request) { e.mirror.ServeHTTP(w, r) }

func (e *mirrorEngine) configure(cfg *config.ProxyConfiguration) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.renew(cfg, e.mirror.Configure); err != nil {
		return err
	}
	e.warmer.Configure(cfg.Mirror.Prewarm)
	return nil
}

func (e *mirrorEngine) run(ctx context.Context) { e.warmer.Run(ctx) }

func (e *mirrorEngine) tell(report *config.ProxyReport) {
	report.Prewarm = e.warmer.Report()
	report.Figures.Upstreams = e.upstreamFigures()
}

func (e *mirrorEngine) close() {
	e.mirror.Close()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.clients.closeBut(nil)
	e.others.close()
}

// renew makes settings of a configuration, with the clients there are and those that it lacks, and has them taken. Clients
// of upstreams that are not named any more are closed, which lets their requests end.
func (e *mirrorEngine) renew(whole *config.ProxyConfiguration, take func(pullthrough.Settings) error) error {
	cfg := whole.Mirror
	settings, err := settingsOf(cfg)
	if err != nil {
		return err
	}
	settings.HubUID = whole.HubUID
	wanted, unnamed := clients{}, e.others.renewed(cfg)
	if unnamed != nil {
		settings.Others = unnamed
	}
	if settings.Hosts, err = wanted.hosts(cfg.Hosts, e.clients, e.observer); err == nil {
		err = take(settings)
	}
	if err != nil {
		wanted.closeBut(e.clients)
		return err
	}
	e.clients.closeBut(wanted)
	e.observer.follow(wanted)
	wanted.announce()
	if e.others != unnamed {
		e.others.close()
	}
	e.clients, e.others = wanted, unnamed
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
