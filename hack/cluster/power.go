package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"

	"github.com/registryhub/registryhub/hack/cluster/plan"
)

// powerOff ends a node at once. The kernel takes its memory with its namespaces: /run, mounts, interfaces, packet filters,
// the network namespaces of pods. Cgroups are the machine's, so they are removed here.
func powerOff(ctx context.Context, args []string) error {
	_, node, err := nodeOf("power-off", args)
	if err != nil {
		return err
	}
	if err := sandboxOf(node.Name).End(); err != nil {
		return err
	}
	if err := disconnectNode(ctx, node); err != nil {
		return err
	}
	return removeCgroups(ctx, node.CgroupRoot())
}

// powerOn starts a node that is off, and those of its processes that are named, all without names. A process that runs is
// left alone.
func powerOn(ctx context.Context, args []string) error {
	current, node, err := nodeOf("power-on", args[:min(1, len(args))])
	if err != nil {
		return err
	}
	if !sandboxOf(node.Name).Alive() {
		if err := current.boot(ctx, node); err != nil {
			return err
		}
	}
	return startNamed(ctx, node, args[1:])
}

// boot makes a node's machine anew, around the disk that it had.
func (c *cluster) boot(ctx context.Context, node plan.Node) error {
	if err := c.launchNode(ctx, node); err != nil {
		return err
	}
	return c.connectNode(ctx, node)
}

// startNamed starts a node's processes in their order, those with one of the names, or all without names.
func startNamed(ctx context.Context, node plan.Node, names []string) error {
	left := slices.Clone(names)
	for _, process := range nodeProcesses(node) {
		if len(names) > 0 && !slices.Contains(names, process.Name) {
			continue
		}
		left = slices.DeleteFunc(left, func(name string) bool { return name == process.Name })
		start := func() error { return sandboxOf(node.Name).Start(ctx, process) }
		if process.Name == plan.Containerd().Name {
			start = func() error { return startContainerd(ctx, node) }
		}
		if err := start(); err != nil {
			return err
		}
	}
	if len(left) > 0 {
		return fmt.Errorf("a node has no process %q", left)
	}
	return nil
}

// newBootID is a random UUID, as the kernel has one for each boot.
func newBootID() []byte {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return fmt.Appendf(nil, "%x-%x-%x-%x-%x\n", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}
