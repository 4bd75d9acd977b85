package proxy

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy/access"
	"github.com/registryhub/registryhub/proxy/access/kube"
	"github.com/registryhub/registryhub/proxy/local"
	"github.com/registryhub/registryhub/proxy/local/collect"
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
	keys     *keyring
	room     *room
	guard    guard
	// inForce is the policy that was last taken into force, which may be more than the guard has since one was refused. It
	// belongs to configure.
	inForce access.Policy
	// cluster is nil where nobody shows its tokens.
	cluster atomic.Pointer[kube.Cluster]
	rules   atomic.Pointer[local.Rules]
	// collector is nil where the store cannot be collected.
	collector *collect.Collector
	logger    logr.Logger
	figures   *metrics.Metrics
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
	keys, err := newKeyring(cfg.Local.KeysDirectory, cfg.Hub, logger)
	if err != nil {
		return nil, err
	}
	e := &registryEngine{hub: cfg.Hub, store: content, keys: keys, room: &room{measurer: upkeep.measurer}, logger: logger, figures: figures}
	if err := e.configure(cfg); err != nil {
		return nil, err
	}
	if collected, ok := content.(collect.Store); ok {
		e.collector = collect.New(collect.Options{Hub: cfg.Hub, Store: collected, Logger: logger, Metrics: figures})
	}
	e.registry = local.New(local.Options{
		Hub: cfg.Hub, HubUID: cfg.HubUID, Store: remembered(cfg.Store, content), Keys: keys, Guard: &e.guard, Rules: func() local.Rules { return *e.rules.Load() }, Full: e.room.isShort, Failed: upkeep.failed, Logger: logger, Metrics: figures,
	})
	return e, nil
}

// configure takes who may do what. If that cannot be known nobody may do anything: who could before may be who should not
// any more. What is refused opens nothing: then those alone go on who may in both.
func (e *registryEngine) configure(cfg *config.ProxyConfiguration) error {
	policy := access.Policy{Anonymous: access.Anonymous(cfg.Local.Access.Anonymous), Tokens: e.keys}
	policy.Nodes = cfg.Listen.TLS != nil && cfg.Listen.TLS.ClientCAFile != ""
	if file := cfg.Local.Access.HtpasswdFile; file != "" {
		accounts, err := access.NewHtpasswd(file)
		if err != nil {
			e.guard.policy.Store(&access.Policy{})
			return fmt.Errorf("local.access.htpasswdFile: %w", err)
		}
		policy.Accounts = accounts
	}
	identities, err := e.identities(cfg)
	if err != nil {
		policy = access.Stricter(e.inForce, policy)
		e.guard.policy.Store(&policy)
		return fmt.Errorf("local.access.kubernetes: %w", err)
	}
	if identities != nil { // a nil *kube.Cluster would be an Identities that is not nil
		policy.Identities = identities
	}
	immutable, err := cfg.Local.CompileImmutableTags("local.immutableTags")
	if err != nil {
		return err
	}
	e.rules.Store(&local.Rules{Immutable: immutable, Sparse: cfg.Local.Sparse, UploadsExpire: cfg.Local.UploadsExpireAfter.Duration})
	e.room.setHighWatermark(*cfg.Store.Eviction.HighWatermarkPercent)
	e.cluster.Store(identities)
	e.inForce = policy
	e.guard.policy.Store(&policy)
	return nil
}

// identities are those of a cluster; nil for none.
func (e *registryEngine) identities(cfg *config.ProxyConfiguration) (*kube.Cluster, error) {
	cluster := cfg.Local.Access.Kubernetes
	if cluster == nil {
		return nil, nil
	}
	return kube.Connect(cluster.Kubeconfig, kube.Options{Hub: cfg.Hub, Audience: cluster.Audience, Logger: e.logger, Metrics: e.figures})
}

// run keeps the store free of what nobody needs.
func (e *registryEngine) run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() { e.reap(ctx) })
	running.Go(func() { e.keys.run(ctx) })
	running.Go(func() { e.probe(ctx) })
	if e.collector != nil {
		running.Go(func() { e.collector.Run(ctx) })
	}
}

// reap throws abandoned uploads away.
func (e *registryEngine) reap(ctx context.Context) {
	uploads, ok := e.store.(store.Uploads)
	for ok && ctx.Err() == nil {
		n, err := uploads.ReapUploads(ctx, time.Now().Add(-e.rules.Load().UploadsExpire))
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

// probe finds out whether the cluster answers before somebody needs to know.
func (e *registryEngine) probe(ctx context.Context) {
	for ctx.Err() == nil {
		next := kube.ProbeEvery
		if cluster := e.cluster.Load(); cluster != nil {
			cluster.Probe(ctx)
			if !cluster.IsWell() {
				next = kube.ProbeAgainEvery
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(next):
		}
	}
}

// tell says that nothing more is taken, where that is so, and whether the cluster can be asked who somebody is.
func (e *registryEngine) tell(report *config.ProxyReport) {
	report.Store.Full = report.Store.Full || e.room.isShort()
	if cluster := e.cluster.Load(); cluster != nil {
		if problem, known := cluster.Health(); known {
			report.Identities = &config.IdentitiesReport{Problem: bounded(problem)}
		}
	}
}

func (e *registryEngine) close() {}
