package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"

	"github.com/registryhub/registryhub/hack/cluster/assets"
	"github.com/registryhub/registryhub/hack/cluster/plan"
)

// The cluster that up makes when it is not told otherwise.
const (
	defaultNodes      = 2
	defaultContainerd = "2.4"
	maxNodes          = 8
)

// up makes the cluster run. A cluster that runs is left alone; one that an earlier up left unfinished,
// or that has lost a part since, is ended and started anew.
func up(ctx context.Context, args []string) error {
	wanted, err := parseUp(args)
	if err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return errors.New("up makes namespaces, mounts and interfaces, so it must run as root: use sudo")
	}
	unlock, err := lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	done, err := reuse(ctx, wanted)
	if err != nil || done {
		return err
	}
	wanted.defaults()
	if err := wanted.start(ctx); err != nil {
		return err
	}
	step("the cluster is up: go run ./hack/cluster kubectl get nodes")
	return nil
}

// parseUp reads the flags; what is not given stays zero.
func parseUp(args []string) (*cluster, error) {
	wanted := &cluster{}
	flags := flag.NewFlagSet("up", flag.ContinueOnError)
	flags.IntVar(&wanted.NodeCount, "nodes", 0, fmt.Sprintf("`number` of nodes (default %d)", defaultNodes))
	flags.StringVar(&wanted.Containerd, "containerd", "", "containerd `release`: 2.4, built here, or 1.6, Debian's (default "+defaultContainerd+")")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("up takes no argument %q", flags.Arg(0))
	}
	if wanted.NodeCount < 0 || wanted.NodeCount > maxNodes {
		return nil, fmt.Errorf("a cluster of %d nodes cannot be made: use 1 to %d", wanted.NodeCount, maxNodes)
	}
	return wanted, nil
}

func (c *cluster) defaults() {
	if c.NodeCount == 0 {
		c.NodeCount = defaultNodes
	}
	if c.Containerd == "" {
		c.Containerd = defaultContainerd
	}
}

// accepts says whether c is what was asked for; what was not asked for is accepted as it is.
func (c *cluster) accepts(wanted *cluster) bool {
	return (wanted.NodeCount == 0 || wanted.NodeCount == c.NodeCount) &&
		(wanted.Containerd == "" || wanted.Containerd == c.Containerd)
}

// reuse says whether the cluster is up already. What cannot be reused it removes.
func reuse(ctx context.Context, wanted *cluster) (bool, error) {
	current, err := running()
	if errors.Is(err, errNotUp) {
		return false, cleanUp(ctx)
	}
	if err != nil {
		return false, err
	}
	if fault := current.fault(ctx); fault != nil {
		step("the cluster has a fault and is started anew: %v", fault)
		return false, cleanUp(ctx)
	}
	if !current.accepts(wanted) {
		return false, fmt.Errorf("the cluster is up with %d nodes and containerd %s: run `go run ./hack/cluster down` before an up with other flags",
			current.NodeCount, current.Containerd)
	}
	step("the cluster is up already, with %d nodes and containerd %s", current.NodeCount, current.Containerd)
	return true, nil
}

// start brings up a cluster where there is none.
func (c *cluster) start(ctx context.Context) error {
	if err := checkAddresses(); err != nil {
		return err
	}
	if err := loadBridgeFilter(ctx); err != nil {
		return err
	}
	store, err := assets.Find(step)
	if err != nil {
		return err
	}
	pause, err := c.provide(ctx, store)
	if err != nil {
		return err
	}
	for _, stage := range []func(context.Context) error{
		c.prepare,
		c.launch,
		c.connect,
		c.startControlPlane,
		func(ctx context.Context) error { return c.startNodes(ctx, pause) },
		c.finish,
	} {
		if err := stage(ctx); err != nil {
			return fmt.Errorf("%w\n\nAnother up starts anew; `go run ./hack/cluster down` removes what is there", err)
		}
	}
	c.Ready = true
	return c.record()
}

// checkAddresses refuses a machine that has other things at the cluster's addresses.
func checkAddresses() error {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return fmt.Errorf("listing the machine's addresses: %w", err)
	}
	for _, address := range addresses {
		there, err := netip.ParsePrefix(address.String())
		if err != nil {
			continue
		}
		for _, network := range []string{plan.Network, plan.PodNetwork, plan.ServiceNetwork} {
			if netip.MustParsePrefix(network).Overlaps(there.Masked()) {
				return fmt.Errorf("the machine has the address %s, in the network %s that the cluster needs: remove it", address, network)
			}
		}
	}
	return nil
}

// loadBridgeFilter loads the kernel module without which kube-proxy's rules do not see the packets
// between pods of one node. Kernels that have it built in have its parameters from the start.
func loadBridgeFilter(ctx context.Context) error {
	if _, err := os.Stat("/proc/sys/net/bridge"); err == nil {
		return nil
	}
	step("loading the kernel module br_netfilter")
	if printed, err := exec.CommandContext(ctx, "modprobe", "br_netfilter").CombinedOutput(); err != nil {
		return fmt.Errorf("loading the kernel module br_netfilter, which pods need to reach Services: %w: %s", err, printed)
	}
	return nil
}

// provide gets every program that the cluster runs, and returns the archive of the pause image.
func (c *cluster) provide(ctx context.Context, store *assets.Store) (pause string, err error) {
	if err := store.Host(ctx); err != nil {
		return "", err
	}
	c.Programs.Kubernetes, err = store.Kubernetes(ctx,
		"kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler", "kubectl", "kubelet")
	if err != nil {
		return "", err
	}
	if c.Programs.Containerd, err = store.Containerd(ctx, c.Containerd); err != nil {
		return "", err
	}
	if c.Programs.Etcd, err = store.Etcd(ctx); err != nil {
		return "", err
	}
	if c.Programs.Runc, err = store.Runc(ctx); err != nil {
		return "", err
	}
	if c.Programs.CNI, err = store.CNI(ctx); err != nil {
		return "", err
	}
	return store.Image(ctx, "hack/cluster/pause", plan.PauseImage)
}
