// Package nodeagent is the agent that runs on every node and leads its containerd to the hubs: it brings the
// NodeConfiguration about in containerd's certs directory and reports in the node's NodeMirror what came of it.
//
// What it knows it keeps to. An object that is missing, an API server that does not answer, or a configuration that
// cannot be read never changes a file: nothing is withdrawn but by a configuration that says so, or when the agent
// itself is uninstalled.
package nodeagent

import (
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"

	"github.com/registryhub/registryhub/controllers/nodeagent/certsd"
)

// Interval is how often the files are compared with what they should be, whether anything is heard of or not: a
// hand's edit lasts at most so long. Everything else is acted on when it happens.
const Interval = 10 * time.Second

// apiTimeout bounds each request to the API server, so that one that does not answer holds up no repair.
const apiTimeout = 5 * time.Second

// shutdownTimeout is how long watches and probes have to end. With the API server away they take all of it.
const shutdownTimeout = 2 * time.Second

// Options are the agent's flags.
type Options struct {
	// NodeName is the node it runs on.
	NodeName string
	// Namespace is the operator's, where the NodeConfiguration and the agent's DaemonSet are.
	Namespace string
	// CertsDirectory is containerd's config_path, RunDirectory the agent's own; both as containerd sees them.
	CertsDirectory, RunDirectory string
	// HealthAddress serves /healthz and /readyz. The agent is in the host's network, so it is a loopback address.
	HealthAddress string
}

// Run runs the agent until the context ends. It keeps its files then, so that a restart or an upgrade costs no pull,
// unless it is being uninstalled: then it restores the node.
func Run(ctx context.Context, api *rest.Config, options Options, log logr.Logger) error {
	mgr, err := newManager(api, options, log)
	if err != nil {
		return fmt.Errorf("setting up the agent of node %s: %w", options.NodeName, err)
	}
	files := certsd.New(options.CertsDirectory, options.RunDirectory)
	r := &reconciler{client: mgr.GetClient(), options: options, files: files}
	if err := r.setUp(mgr); err != nil {
		return fmt.Errorf("setting up the agent of node %s: %w", options.NodeName, err)
	}
	if err := mgr.Start(ctx); err != nil {
		if ctx.Err() == nil {
			return fmt.Errorf("running the agent of node %s: %w", options.NodeName, err)
		}
		// A watch that waits to reconnect does not hear that it should end (client-go's Reflector.watchList).
		log.V(1).Info("Not everything ended in time", "error", err.Error())
	}
	leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), apiTimeout)
	defer cancel()
	return restoreWhenUninstalled(leaving, mgr.GetAPIReader(), options.Namespace, files, log)
}
