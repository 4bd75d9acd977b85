package proxy

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy/access"
	"github.com/registryhub/registryhub/proxy/local"
	"github.com/registryhub/registryhub/proxy/local/collect"
	"github.com/registryhub/registryhub/proxy/local/ticket"
	"github.com/registryhub/registryhub/proxy/metrics"
	"github.com/registryhub/registryhub/proxy/store"
)

// reapEvery is how often abandoned uploads are looked for.
const reapEvery = time.Hour

// registryEngine makes a store a registry to push to.
type registryEngine struct {
	registry *local.Registry
	hub      string
	store    store.Store
	tokens   *access.Tokens
	guard    guard
	// collector is nil where the store cannot be collected.
	collector *collect.Collector
	logger    logr.Logger
}

// ServeHTTP implements http.Handler.
func (e *registryEngine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == access.TokenPath {
		e.guard.policy.Load().ServeToken(w, r)
		return
	}
	e.registry.ServeHTTP(w, r)
}

// guard is the policy of the configuration in force.
type guard struct{ policy atomic.Pointer[access.Policy] }

// Check implements local.Guard.
func (g *guard) Check(h http.Header, r *http.Request, repository string, action access.Action) error {
	return g.policy.Load().Check(h, r, repository, action)
}

// MayMount implements local.Guard.
func (g *guard) MayMount(r *http.Request, repository string) bool {
	return g.policy.Load().MayMount(r, repository)
}

func newRegistryEngine(cfg *config.ProxyConfiguration, content store.Store, upkeep *upkeep, logger logr.Logger, figures *metrics.Metrics) (*registryEngine, error) {
	secrets, err := keysIn(cfg.Local.KeysDirectory)
	if err != nil {
		return nil, err
	}
	keys, err := ticket.NewKeys(secrets...)
	if err != nil {
		return nil, err
	}
	e := &registryEngine{hub: cfg.Hub, store: content, tokens: access.NewTokens(secrets...), logger: logger}
	if err := e.configure(cfg); err != nil {
		return nil, err
	}
	if collected, ok := content.(collect.Store); ok {
		e.collector = collect.New(collect.Options{Hub: cfg.Hub, Store: collected, Logger: logger, Metrics: figures})
	}
	room := &room{measurer: upkeep.measurer, highWatermark: *cfg.Store.Eviction.HighWatermarkPercent}
	e.registry = local.New(local.Options{
		Hub: cfg.Hub, Store: content, Keys: keys, Guard: &e.guard, Full: room.isShort, Failed: upkeep.failed, Logger: logger, Metrics: figures,
	})
	return e, nil
}

// configure takes who may do what. An error closes nothing that is in force, and lets nobody in at the start.
func (e *registryEngine) configure(cfg *config.ProxyConfiguration) error {
	policy := &access.Policy{Anonymous: access.Anonymous(cfg.Local.Access.Anonymous), Tokens: e.tokens}
	if file := cfg.Local.Access.HtpasswdFile; file != "" {
		accounts, err := access.NewHtpasswd(file)
		if err != nil {
			return fmt.Errorf("local.access.htpasswdFile: %w", err)
		}
		policy.Accounts = accounts
	}
	e.guard.policy.Store(policy)
	return nil
}

// keysIn are those of every replica, or, where there is one alone, of this process.
func keysIn(directory string) ([][]byte, error) {
	if directory == "" {
		key := make([]byte, ticket.KeyLength)
		_, _ = rand.Read(key) // never fails
		return [][]byte{key}, nil
	}
	var keys [][]byte
	for _, name := range []string{config.LocalKeyCurrent, config.LocalKeyPrevious} {
		key, err := os.ReadFile(filepath.Join(directory, name))
		if errors.Is(err, fs.ErrNotExist) && name == config.LocalKeyPrevious {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("local.keysDirectory: %w", err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// run keeps the store free of what nobody needs.
func (e *registryEngine) run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() { e.reap(ctx) })
	if e.collector != nil {
		running.Go(func() { e.collector.Run(ctx) })
	}
}

// reap throws abandoned uploads away.
func (e *registryEngine) reap(ctx context.Context) {
	uploads, ok := e.store.(store.Uploads)
	for ok && ctx.Err() == nil {
		n, err := uploads.ReapUploads(ctx, time.Now().Add(-local.UploadsExpire))
		if err != nil && ctx.Err() == nil {
			e.logger.Error(err, "abandoned uploads stay", "hub", e.hub)
		}
		if n > 0 {
			e.logger.Info("abandoned uploads thrown away", "hub", e.hub, "uploads", n)
		}
		select {
		case <-ctx.Done():
		case <-time.After(reapEvery):
		}
	}
}

func (e *registryEngine) tell(*config.ProxyReport) {}

func (e *registryEngine) close() {}
