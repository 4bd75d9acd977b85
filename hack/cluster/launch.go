package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"

	"github.com/registryhub/registryhub/hack/cluster/plan"
	"github.com/registryhub/registryhub/hack/cluster/sandbox"
)

// launch starts the sandboxes, still without processes and without a network.
func (c *cluster) launch(ctx context.Context) error {
	step("making %d sandboxes", c.NodeCount+1)
	controlPlane := controlPlane()
	if err := launchSandbox(ctx, controlPlane, plan.ControlPlaneMounts(controlPlane.Dir, c.Programs), nil); err != nil {
		return err
	}
	for _, node := range c.nodes() {
		if err := c.launchNode(ctx, node); err != nil {
			return err
		}
	}
	return nil
}

// launchNode starts a node's sandbox.
func (c *cluster) launchNode(ctx context.Context, node plan.Node) error {
	if err := makeCgroups(node.CgroupRoot()); err != nil {
		return err
	}
	machine := sandboxOf(node.Name)
	if err := (files{plan.BootIDFile: newBootID()}).write(machine.Dir); err != nil {
		return err
	}
	return launchSandbox(ctx, machine, plan.NodeMounts(machine.Dir, c.Programs), plan.NodeSysctls())
}

func launchSandbox(ctx context.Context, machine sandbox.Sandbox, mounts []sandbox.Mount, sysctls map[string]string) error {
	return machine.Launch(ctx, sandbox.Config{
		Hostname: machine.Name,
		Socket:   machine.Socket(),
		Path:     plan.Path,
		Mounts:   mounts,
		Sysctls:  sysctls,
	}, "/proc/self/exe", initVerb, machine.Name)
}

// connect makes the cluster's network.
func (c *cluster) connect(ctx context.Context) error {
	step("connecting them: the machine is %s, the API server %s", plan.HostAddress, plan.APIServer)
	pid, err := controlPlane().PID()
	if err != nil {
		return err
	}
	if err := configureHost(ctx, plan.HostLink(strconv.Itoa(pid))); err != nil {
		return err
	}
	if err := configure(ctx, controlPlane(), plan.Bridge()); err != nil {
		return err
	}
	for _, node := range c.nodes() {
		if err := c.connectNode(ctx, node); err != nil {
			return err
		}
	}
	if err := configure(ctx, controlPlane(), plan.BridgeRoutes(c.nodes())); err != nil {
		return err
	}
	return configureHost(ctx, plan.HostRoutes(c.nodes()))
}

func (c *cluster) connectNode(ctx context.Context, node plan.Node) error {
	machine := sandboxOf(node.Name)
	pid, err := machine.PID()
	if err != nil {
		return err
	}
	if err := configure(ctx, controlPlane(), node.Port(strconv.Itoa(pid))); err != nil {
		return err
	}
	return configure(ctx, machine, node.Link(c.nodes()))
}

// configure runs lines of ip in a sandbox's network.
func configure(ctx context.Context, machine sandbox.Sandbox, lines []string) error {
	command, err := machine.NetCommand(ctx, "ip", "-batch", "-")
	if err != nil {
		return err
	}
	return runIP(command, machine.Name, lines)
}

// configureHost runs lines of ip in the machine's network.
func configureHost(ctx context.Context, lines []string) error {
	return runIP(exec.CommandContext(ctx, "ip", "-batch", "-"), "the machine", lines)
}

func runIP(command *exec.Cmd, where string, lines []string) error {
	command.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	var printed bytes.Buffer
	command.Stdout, command.Stderr = &printed, &printed
	if err := command.Run(); err != nil {
		return fmt.Errorf("setting up the network of %s with %q: %w\n%s", where, lines, err, printed.String())
	}
	return nil
}

// disconnectHost removes the machine's side of the cluster's network, with its routes. The rest is in
// the sandboxes and went with them.
func disconnectHost(ctx context.Context) error {
	return deleteLink(exec.CommandContext(ctx, "ip", "link", "delete", plan.HostInterface))
}

// disconnectNode removes the control plane's side of a node's link.
func disconnectNode(ctx context.Context, node plan.Node) error {
	command, err := controlPlane().NetCommand(ctx, "ip", "link", "delete", node.Name)
	if err != nil {
		return err
	}
	return deleteLink(command)
}

func deleteLink(command *exec.Cmd) error {
	printed, err := command.CombinedOutput()
	// The kernel removes it too when the network at its other end goes; which of the two is first varies.
	if err == nil || errors.Is(err, exec.ErrNotFound) || strings.Contains(string(printed), "Cannot find device") {
		return nil
	}
	return fmt.Errorf("removing an interface with %q: %w: %s", command.Args, err, printed)
}
