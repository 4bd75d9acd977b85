// Package node is one node of a cluster with many hubs, as its agent sees it: a real API server, a real proxy over TLS for
// each hub, and a container runtime that says what a pull came to.
package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/hack/bench/contender"
	"github.com/registryhub/registryhub/hack/cluster/assets"
)

// Hubs is how many there are.
const Hubs = 50

// patience is for as many canaries as there are hubs, a second apart.
const patience = 3 * time.Minute

// Node is one that runs.
type Node struct {
	// Agent is its agent's process.
	Agent *contender.Server

	run      string
	hubs     *hubs
	api      *apiServer
	runtime  *containerRuntime
	revision int64
}

// Start starts a node in the place of a contender. It has no hubs yet.
func Start(ctx context.Context, place contender.Place) (n *Node, err error) {
	n = &Node{}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Stop())
		}
	}()
	// Where its path is short, as a Unix socket's must be.
	if n.run, err = os.MkdirTemp("", "registryhub-run-"); err != nil {
		return n, fmt.Errorf("making the node's /run: %w", err)
	}
	if n.hubs, err = startHubs(ctx, Hubs, place); err != nil {
		return n, err
	}
	if n.runtime, err = startRuntime(ctx, n.run); err != nil {
		return n, err
	}
	if n.api, err = startCluster(ctx, place.Directory); err != nil {
		return n, err
	}
	health, err := contender.FreeAddress(ctx)
	if err != nil {
		return n, err
	}
	n.Agent, err = contender.StartAgent(contender.Agent{
		Program: place.Programs.RegistryHub, Directory: place.Directory, Run: n.run, Kubeconfig: n.api.kubeconfig,
		Node: nodeName, Namespace: namespace, HealthAddress: health,
	})
	return n, err
}

func startCluster(ctx context.Context, directory string) (*apiServer, error) {
	provider, err := assets.Find(func(string, ...any) {})
	if err != nil {
		return nil, err
	}
	folder, err := provider.Envtest(ctx)
	if err != nil {
		return nil, err
	}
	return startAPI(ctx, folder, provider.Root, directory)
}

// Stop ends all of it, the agent too.
func (n *Node) Stop() error {
	var errs []error
	if n.Agent != nil {
		errs = append(errs, n.Agent.Stop())
	}
	if n.api != nil {
		errs = append(errs, n.api.stop())
	}
	if n.runtime != nil {
		errs = append(errs, n.runtime.stop())
	}
	if n.hubs != nil {
		errs = append(errs, n.hubs.stop())
	}
	if n.run != "" {
		errs = append(errs, os.RemoveAll(n.run))
	}
	return errors.Join(errs...)
}

// Wire gives the node so many hubs, and waits until it has proven that it pulls through them.
func (n *Node) Wire(ctx context.Context, count int) error {
	n.revision++
	err := n.api.configure(ctx, &configv1alpha1.NodeConfiguration{
		Revision: n.revision, CABundle: string(n.hubs.authority.Certificate), Hubs: n.hubs.entries(count, n.revision),
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		said, err := n.api.report(ctx)
		if err == nil && said.ProvenRevision != nil && *said.ProvenRevision == n.revision && len(said.Exceptions) == 0 {
			return nil
		}
		if err := n.Agent.Ended(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting %s for the agent to prove %d hubs: it reports %+v (%w)", patience, count, said, err)
		case <-tick.C:
		}
	}
}

// HubsCPU is the processor time that all hubs together have used.
func (n *Node) HubsCPU() (time.Duration, error) { return n.hubs.cpu() }
