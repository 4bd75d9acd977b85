package simulation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/hack/bench/contender"
)

// Cost is what something took of the manager and of the API server.
type Cost struct {
	// Took is how long it took until all hubs' statuses were right.
	Took time.Duration
	// CPU is the processor time of the manager.
	CPU time.Duration
	// Writes are the manager's, but for its Lease; Leases are those.
	Writes, Leases int
	// By has all of the manager's writes.
	By Writes
	// Revisions are how often the NodeConfiguration changed, and Reports what agents wrote for that.
	Revisions, Reports int64
	// Private is the manager's private memory at the end, in bytes.
	Private int64
}

// Converge starts the manager, and has it make everything of nothing.
func (c *Cluster) Converge(ctx context.Context) (Cost, error) {
	return c.costOf(ctx, func(ctx context.Context) (err error) {
		c.Manager, err = contender.StartManager(contender.Manager{
			Program: c.place.Programs.RegistryHub, Directory: c.place.Directory, Kubeconfig: c.control.kubeconfig, Namespace: namespace,
		})
		if err != nil {
			return err
		}
		return c.await(ctx)
	})
}

// Change gives one hub another host, which is to reach all nodes.
func (c *Cluster) Change(ctx context.Context) (Cost, error) {
	return c.costOf(ctx, func(ctx context.Context) error {
		hub := &v1alpha1.RegistryHub{}
		if err := c.control.client.Get(ctx, client.ObjectKey{Name: hubName(0)}, hub); err != nil {
			return fmt.Errorf("reading a hub: %w", err)
		}
		hub.Spec.Hosts = append(hub.Spec.Hosts, "another.example.com")
		if err := c.control.client.Update(ctx, hub); err != nil {
			return fmt.Errorf("changing a hub: %w", err)
		}
		c.changed = hub.Generation
		return c.await(ctx)
	})
}

// Flap has some nodes become NotReady and Ready again, each once in a period, for a while. It ends when all is as before.
func (c *Cluster) Flap(ctx context.Context, nodes int, period, lasts time.Duration) (Cost, error) {
	return c.costOf(ctx, func(ctx context.Context) error {
		storm, cancel := context.WithTimeout(ctx, lasts)
		defer cancel()
		ready := make([]bool, nodes)
		err := c.control.paced(storm, period/time.Duration(2*nodes), func(turn int) error {
			i := turn % nodes
			ready[i] = (turn/nodes)%2 == 1
			return c.control.setReady(storm, i, readiness(ready[i]))
		})
		if err != nil {
			return err
		}
		if err := each(ctx, nodes, func(ctx context.Context, i int) error { return c.control.setReady(ctx, i, readiness(true)) }); err != nil {
			return err
		}
		return c.await(ctx)
	})
}

// Rest lets a while pass in which nothing happens but the kubelets' heartbeats.
func (c *Cluster) Rest(ctx context.Context, lasts time.Duration) (Cost, error) {
	return c.costOf(ctx, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, lasts)
		defer cancel()
		return c.control.heartbeats(ctx, c.size.Nodes)
	})
}

// Settle waits until the manager has written nothing but its Lease for a while: events come late.
func (c *Cluster) Settle(ctx context.Context, while time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		cost, err := c.Rest(ctx, while)
		if err = errors.Join(err, ctx.Err()); err != nil || cost.Writes == 0 {
			return err
		}
	}
}

// costOf measures what the manager does about something.
func (c *Cluster) costOf(ctx context.Context, do func(ctx context.Context) error) (Cost, error) {
	before, err := c.account()
	if err != nil {
		return Cost{}, err
	}
	began := time.Now()
	if err := do(ctx); err != nil {
		return Cost{}, err
	}
	cost, err := c.account()
	if err != nil {
		return Cost{}, err
	}
	cost.Took = time.Since(began)
	cost.CPU -= before.CPU
	cost.Revisions, cost.Reports = cost.Revisions-before.Revisions, cost.Reports-before.Reports
	cost.By = cost.By.since(before.By)
	cost.Leases, cost.Writes = cost.By.split()
	return cost, nil
}

// account is all so far.
func (c *Cluster) account() (cost Cost, err error) {
	cost.Revisions, cost.Reports = c.agents.revisions.Load(), c.agents.reports.Load()
	if cost.By, err = c.control.audit.writes(); err != nil || c.Manager == nil {
		return cost, err
	}
	if cost.CPU, err = c.Manager.CPU(); err != nil {
		return cost, err
	}
	cost.Private, err = c.Manager.PrivateMemory()
	return cost, err
}
