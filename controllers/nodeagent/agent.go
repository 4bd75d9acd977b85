// Package nodeagent is the agent that runs on every node and leads its containerd to the hubs: it brings the
// NodeConfiguration about in containerd's certs directory and reports in the node's NodeMirror what came of it.
//
// It has two sides. The keeper brings about on the node's disk what is known, for the hubs that answer this node, and
// needs no API server; the reconciler hears from it what is to be known, and reports.
//
// What it knows it keeps to. An object that is missing, an API server that does not answer, or a configuration that
// cannot be read never changes a file: nothing is withdrawn but by a configuration that says so, because the hub does not
// answer, or when the agent itself is uninstalled.
package nodeagent

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/registryhub/registryhub/controllers/nodeagent/certsd"
	"github.com/registryhub/registryhub/controllers/nodeagent/probe"
)

// Interval is how often the files are compared with what they should be, whether anything is heard of or not: a
// hand's edit lasts at most so long. Everything else is acted on when it happens.
const Interval = 10 * time.Second

// apiTimeout bounds each request to the API server, so that one that does not answer holds up no repair.
const apiTimeout = 5 * time.Second

// shutdownTimeout is how long watches and probes have to end. With the API server away they take all of it.
const shutdownTimeout = 2 * time.Second

// nowhere is the address of what is not served.
const nowhere = "0"

// Options are the agent's flags.
type Options struct {
	// NodeName is the node it runs on.
	NodeName string
	// Namespace is the operator's, where the NodeConfiguration and the agent's DaemonSet are.
	Namespace string
	// CertsDirectory is containerd's config_path, RunDirectory the agent's own; both as containerd sees them.
	CertsDirectory, RunDirectory string
	// ClientCertificateDirectory holds tls.crt and tls.key, the certificate that nodes show to hubs. "": there is none.
	ClientCertificateDirectory string
	// HealthAddress serves /healthz and /readyz. The agent is in the host's network, so it is a loopback address.
	HealthAddress string
	// MetricsAddress serves /metrics, to whoever reaches it. The agent is in the host's network. Default: "0", nowhere.
	MetricsAddress string
	// CanaryInterval is how long a proof that the runtime pulls through a hub is believed. 0: nothing is proven, and the
	// runtime is asked nothing.
	CanaryInterval time.Duration
}

func (o Options) metricsAddress() string { return cmp.Or(o.MetricsAddress, nowhere) }

// Run runs the agent until the context ends. It keeps its files then, so that a restart or an upgrade costs no pull,
// unless it is being uninstalled: then it restores the node.
func Run(ctx context.Context, api *rest.Config, options Options, log logr.Logger) error {
	mgr, err := newManager(api, options, log)
	if err != nil {
		return fmt.Errorf("setting up the agent of node %s: %w", options.NodeName, err)
	}
	tls := newNodeTLS(options, log)
	prober := probe.New(probe.Options{Logger: log, TLS: tls.config})
	keeper := newKeeper(certsd.New(options.CertsDirectory, options.RunDirectory), tls, prober, newMemory(options), log)
	keeper.roots = newLaterRoots(options)
	if keeper.proving, err = newProving(options, log); err != nil {
		return fmt.Errorf("setting up the agent of node %s: %w", options.NodeName, err)
	}
	defer keeper.proving.end()
	if options.metricsAddress() != nowhere {
		unregister, err := keeper.metrics.Register(ctrlmetrics.Registry)
		defer unregister()
		if err != nil {
			return fmt.Errorf("registering the metrics of the agent of node %s: %w", options.NodeName, err)
		}
	}
	r := &reconciler{client: mgr.GetClient(), options: options, keeper: keeper}
	if err := r.setUp(mgr); err != nil {
		return fmt.Errorf("setting up the agent of node %s: %w", options.NodeName, err)
	}
	r.known = keeper.remember()
	if err := runBoth(ctx, mgr, keeper); err != nil {
		if ctx.Err() == nil {
			return fmt.Errorf("running the agent of node %s: %w", options.NodeName, err)
		}
		// A watch that waits to reconnect does not hear that it should end (client-go's Reflector.watchList).
		log.V(1).Info("Not everything ended in time", "error", err.Error())
	}
	leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), apiTimeout)
	defer cancel()
	return restoreWhenUninstalled(leaving, mgr.GetAPIReader(), options.Namespace, keeper, log)
}

// runBoth runs the keeper beside the manager, not in it: a manager starts nothing before its watches have begun, and the
// files must not wait for the API server.
func runBoth(ctx context.Context, mgr manager.Manager, keeper *keeper) error {
	keeping, stop := context.WithCancel(ctx)
	var kept sync.WaitGroup
	kept.Go(func() { keeper.run(keeping) })
	err := mgr.Start(ctx)
	stop()
	kept.Wait()
	return err
}
