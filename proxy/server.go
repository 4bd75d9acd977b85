// Package proxy is a hub's proxy: a ProxyConfiguration becomes a server of the distribution API and one of
// diagnostics.
package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy/configfile"
	"github.com/registryhub/registryhub/proxy/metrics"
)

// DrainTimeout is how long requests under way have to end after the proxy was told to. A Pod's
// terminationGracePeriodSeconds must be longer.
const DrainTimeout = 25 * time.Second

// Options of a Server.
type Options struct {
	// Logger tells what the proxy does. Default: nothing is told.
	Logger logr.Logger
	// Version of the program, for the metrics.
	Version string
	// Limits of what clients can have at once. Default: those of Limits.
	Limits Limits
}

// Server is a hub's proxy. It listens from the beginning and serves while it runs.
type Server struct {
	logger      logr.Logger
	version     string
	limits      Limits
	figures     *metrics.Metrics
	backend     *backend
	front       *front
	registry    listener
	diagnostics listener
	draining    atomic.Bool
	drainWithin time.Duration

	follower *configfile.Follower // nil without a file
	inForce  loaded               // belongs to reload
	report   atomic.Pointer[config.ProxyReport]
}

// New opens the store, reads the upstreams' CA files and listens on both addresses. It asks no upstream, so that it
// starts while one is down. The configuration must be valid, with defaults filled in.
func New(cfg *config.ProxyConfiguration, options Options) (*Server, error) {
	content, err := config.Encode(cfg.DeepCopy())
	if err != nil {
		return nil, err
	}
	return newServer(loaded{ProxyConfiguration: cfg, hash: config.Hash(content)}, options)
}

// NewFromFile is New with the configuration in a file, which is followed while the server runs: what changes is taken into
// force without dropping a request. A file that is wrong, or that changes where the proxy listens or keeps its store, is
// refused then, and the one before stays in force; /configz says so.
func NewFromFile(file string, options Options) (*Server, error) {
	first, err := load(file)
	if err != nil {
		return nil, err
	}
	s, err := newServer(first, options)
	if err != nil {
		return nil, err
	}
	s.follower = configfile.New(configfile.Options{File: file, Logger: options.Logger})
	return s, nil
}

func newServer(first loaded, options Options) (*Server, error) {
	registry := newRegistry()
	s := &Server{
		logger: options.Logger, version: options.Version, limits: options.Limits.withDefaults(), figures: metrics.New(registry), inForce: first,
		drainWithin: DrainTimeout,
	}
	s.figures.Build(options.Version, first.hash)
	s.report.Store(&config.ProxyReport{InForce: first.hash})
	var err error
	if s.backend, err = newBackend(first.ProxyConfiguration, options.Logger, s.figures); err != nil {
		return nil, err
	}
	if err := s.listen(first.Listen, registry); err != nil {
		s.backend.close()
		return nil, err
	}
	return s, nil
}

func (s *Server) listen(addresses config.ListenConfiguration, registry *prometheus.Registry) error {
	var err error
	limits := s.limits
	if s.registry, err = s.listenForRegistry(addresses, limits); err != nil {
		return fmt.Errorf("listening for the registry API (listen.registry): %w", err)
	}
	limits.Connections, limits.Requests = diagnosticConnections, diagnosticConnections
	if s.diagnostics, err = s.serveOn(addresses.Diagnostics, &edge{next: s.diagnosticsHandler(registry), told: unobserved{}}, limits); err != nil {
		return errors.Join(fmt.Errorf("listening for diagnostics (listen.diagnostics): %w", err), s.registry.Close())
	}
	return nil
}

// listenForRegistry serves over TLS where there are files for it.
func (s *Server) listenForRegistry(cfg config.ListenConfiguration, limits Limits) (listener, error) {
	spoken, err := s.newSchemes(cfg)
	if err != nil {
		return listener{}, err
	}
	served := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.front.ServeHTTP(w, r) })
	l, err := s.serveOn(cfg.Registry, &edge{next: served, bodies: s.inForce.Local != nil, told: s.figures}, limits)
	if err != nil {
		return listener{}, err
	}
	s.front = newFront(l.Listener, spoken, limits.Head)
	l.Listener = s.front
	s.announce(spoken)
	return l, nil
}

// RegistryAddr is where the registry API is served.
func (s *Server) RegistryAddr() net.Addr { return s.registry.Addr() }

// DiagnosticsAddr is where /healthz, /readyz, /configz and /metrics are served.
func (s *Server) DiagnosticsAddr() net.Addr { return s.diagnostics.Addr() }

// Run serves until the context ends, then drains: /readyz answers 503, nothing new is accepted, requests under way have
// DrainTimeout to end, and transfers are left for the next process to take up. It is called once.
func (s *Server) Run(ctx context.Context) error {
	s.logger.Info("proxy serves", "registry", s.RegistryAddr().String(), "diagnostics", s.DiagnosticsAddr().String(), "configHash", s.report.Load().InForce)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(s.registry.serve)
	group.Go(s.diagnostics.serve)
	group.Go(func() error {
		s.backend.upkeep.run(ctx)
		return nil
	})
	group.Go(func() error {
		s.backend.run(ctx)
		return nil
	})
	group.Go(func() error {
		s.front.follow(ctx)
		return nil
	})
	if s.follower != nil {
		group.Go(func() error {
			s.follower.Run(ctx, s.reload)
			return nil
		})
	}
	group.Go(func() error {
		<-ctx.Done()
		return s.drain(context.WithoutCancel(ctx))
	})
	return group.Wait()
}

func (l listener) serve() error {
	if err := l.server.Serve(l.Listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving on %s: %w", l.Addr(), err)
	}
	return nil
}

// drain ends the transfers before the connections that follow them, so that those are cut by a clean close.
func (s *Server) drain(ctx context.Context) error {
	s.draining.Store(true)
	s.logger.Info("proxy drains", "atMost", s.drainWithin.String())
	ctx, cancel := context.WithTimeout(ctx, s.drainWithin)
	defer cancel()
	err := s.registry.server.Shutdown(ctx)
	s.backend.close()
	if errors.Is(err, context.DeadlineExceeded) {
		s.logger.Info("proxy cuts what has not ended")
		err = s.registry.server.Close()
	}
	return errors.Join(err, s.diagnostics.server.Close())
}
