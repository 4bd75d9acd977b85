package proxy

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"github.com/go-logr/logr"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy/metrics"
)

// backend is what the server serves. The store, the engine and the upkeep are there from its beginning to its end; everything
// else can be configured anew.
type backend struct {
	engine
	content content
	upkeep  *upkeep

	mu     sync.Mutex
	closed bool
}

// engine is what the mode of a hub makes of its store.
type engine interface {
	http.Handler
	// configure takes a configuration into force, or refuses it as a whole.
	configure(cfg *config.ProxyConfiguration) error
	// run does what there is to do beside answering, until the context ends.
	run(ctx context.Context)
	// tell adds what the engine has to say to a report.
	tell(report *config.ProxyReport)
	close()
}

func newBackend(cfg *config.ProxyConfiguration, logger logr.Logger, figures *metrics.Metrics) (*backend, error) {
	content, err := openContent(cfg)
	if err != nil {
		return nil, err
	}
	b := &backend{content: content, upkeep: newUpkeep(cfg, content.Store, logger, figures)}
	if cfg.Local != nil {
		b.engine, err = newRegistryEngine(cfg, content.Store, b.upkeep, logger, figures)
	} else {
		b.engine, err = newMirrorEngine(cfg, content.Store, b.upkeep, logger, figures)
	}
	if err != nil {
		content.close()
		return nil, err
	}
	return b, nil
}

var errDraining = errors.New("taking a configuration into force: the proxy drains")

// configure takes a configuration into force, or refuses it as a whole. What cannot change while it runs must be as it was.
func (b *backend) configure(cfg *config.ProxyConfiguration) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return errDraining
	}
	if err := b.engine.configure(cfg); err != nil {
		return err
	}
	b.content.configure(cfg.Store)
	b.upkeep.configure(cfg.Store)
	return nil
}

func (b *backend) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.engine.close()
	b.content.close()
}
